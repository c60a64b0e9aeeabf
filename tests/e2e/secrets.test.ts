import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { cleanEnv, scratchFolder } from '../support/stack.ts';

/**
 * Recognisable secrets in every provider's key, and a server that throws them back in the worst way: none of them may be seen again in
 * what a worker or a command writes, in a workflow's history, or in the ledger.
 */

const CANARY = `CANARY${randomUUID().replaceAll('-', '')}`;
const KEYED = ['anthropic', 'gemini', 'glm', 'kimi', 'openai'] as const;
const folder = scratchFolder('secrets');
const taskQueue = `secrets-${randomUUID().slice(0, 8)}`;
let server: http.Server;
let worker: ReturnType<typeof startCommand>;
let env: Record<string, string | undefined>;

beforeAll(async () => {
  // Repeats every header and the path, as a careless proxy would: with a status that is tried again, and with one that is not.
  let turn = 0;
  server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      turn += 1;
      const message = `refused ${JSON.stringify(request.headers)} ${request.url}`;
      const status = [401, 500, 400, 302][turn % 4] ?? 401;
      response.writeHead(status, { 'content-type': 'application/json', location: `/?key=${CANARY}`, 'x-request-id': CANARY });
      response.end(JSON.stringify({ error: { message, type: 'x', code: 'y' }, message, request_id: message }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  env = cleanEnv(folder.path, {
    TEMPORAL_ADDRESS: inject('temporal').address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: taskQueue,
    CUTOVER_LOG_LEVEL: 'trace',
    CUTOVER_DEBUG: 'true',
    MAX_RETRY_ATTEMPTS: '1',
    ...Object.fromEntries(
      KEYED.flatMap((name) => [
        [`${name.toUpperCase()}_API_KEY`, `${CANARY}-${name}`],
        [`${name.toUpperCase()}_BASE_URL`, url],
      ]),
    ),
    S3_BUCKET: 'bucket',
    S3_ENDPOINT: url,
    S3_ACCESS_KEY_ID: 'AKIATEST',
    S3_SECRET_ACCESS_KEY: `${CANARY}-s3`,
    S3_SESSION_TOKEN: `${CANARY}-session`,
  });
  worker = startCommand(['worker'], { cwd: folder.path, env });
  await vi.waitFor(() => expect(worker.said.stderr).toContain('ready'), { timeout: 60_000, interval: 50 });
}, 90_000);
afterAll(async () => {
  worker?.child.kill('SIGTERM');
  await worker?.ended;
  await new Promise((resolve) => server?.close(resolve));
  folder.remove();
});

const run = (...args: string[]): Promise<Ran> => startCommand(args, { cwd: folder.path, env }).ended;

describe('A secret', { timeout: 120_000 }, () => {
  const said: string[] = [];

  test('is in nothing that a command says, whatever the provider answers', async () => {
    writeFileSync(join(folder.path, 'document.pdf'), 'a document');
    const uploads = [...KEYED, 's3'].map(async (name) => {
      const ran = await run('upload', 'document.pdf', '--to', name, '--json');
      expect(ran.code, `${name}: ${ran.stderr}`).not.toBe(0);
      return ran;
    });
    const others = [
      run('providers'),
      run('providers', '--json'),
      run('config', '--json'),
      run('buckets', 'list', '--provider', 's3'),
      run('doctor'),
    ];
    for (const { stdout, stderr } of await Promise.all([...uploads, ...others])) said.push(stdout, stderr);
    expect(said.join()).toContain('document.pdf');
    expect(said.join()).not.toContain(CANARY);
  });

  test('is in no line that a worker logs, at the finest level', () => {
    expect(worker.said.stderr.length).toBeGreaterThan(100);
    expect(worker.said.stdout + worker.said.stderr).not.toContain(CANARY);
  });

  test("is in no workflow's history", async () => {
    const connection = await Connection.connect({ address: inject('temporal').address });
    const client = new Client({ connection });
    let histories = 0;
    for await (const { workflowId } of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
      const history = await client.workflow.getHandle(workflowId).fetchHistory();
      // Payloads are base64 as JSON: look at what they say.
      const text = JSON.stringify(history).replace(/"data":"([^"]*)"/g, (_, data) => Buffer.from(data, 'base64').toString());
      expect(text).toContain('document.pdf');
      expect(text).not.toContain(CANARY);
      histories += 1;
    }
    expect(histories).toBeGreaterThanOrEqual(KEYED.length);
    await connection.close();
  });

  test('is in no row of the ledger', async () => {
    const sql = postgres(inject('postgresUrl'), { max: 1 });
    try {
      const tables = await sql`select tablename from pg_tables where schemaname = 'public'`;
      let text = '';
      for (const { tablename } of tables)
        for (const row of await sql`select t::text as row from ${sql(tablename as string)} t`) text += row.row;
      expect(text).toContain('document.pdf');
      expect(text).not.toContain(CANARY);
      // Nor of the account, which follows from the key.
      expect(text).not.toContain(Buffer.from(CANARY).toString('base64').slice(0, 20));
    } finally {
      await sql.end();
    }
  });
});
