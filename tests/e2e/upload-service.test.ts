import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { type Running, runOn } from '../support/running.ts';
import { cleanEnv } from '../support/stack.ts';
import { dropBucket, freshBucket, supabaseProvider } from '../support/supabase-provider.ts';

/** The example application as a process of its own, beside a worker, while the share of its users changes. */

const program = fileURLToPath(new URL('../../examples/upload-service.ts', import.meta.url));
const bucket = freshBucket();
/** A user of this test alone: the ledger is everybody's. */
const ANN = `ann-${randomUUID()}`;
let cutover: Running;
let service: ChildProcess;
let url = '';

beforeAll(async () => {
  const switches = { ENABLE_UNIFIED_MANAGER: 'true', ENABLE_KIMI_MIGRATION: 'true' };
  cutover = await runOn({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') }, switches);
  await supabaseProvider({ bucket }).check(new AbortController().signal);
  service = spawn(process.execPath, [program], {
    cwd: cutover.folder,
    env: cleanEnv(cutover.folder, {
      ...switches,
      TEMPORAL_ADDRESS: inject('temporal').address,
      TEMPORAL_TASK_QUEUE: cutover.config.temporal.taskQueue,
      SUPABASE_URL: inject('supabase').url,
      SUPABASE_SECRET_KEY: inject('supabase').secretKey,
      SUPABASE_BUCKET: cutover.config.supabase.bucket,
      LEGACY_BUCKET: bucket,
    }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  service.stdout?.on('data', (text: Buffer) => {
    url ||= String(text).trim();
  });
  await vi.waitFor(() => expect(url).toMatch(/^http/), { timeout: 30_000 });
}, 60_000);
afterAll(async () => {
  const ended = new Promise((resolve) => service?.once('exit', resolve));
  service?.kill('SIGTERM');
  await ended;
  await cutover?.stop();
  await dropBucket(bucket);
});

const upload = async (text: string, user: string) =>
  (await (
    await fetch(`${url}/files?name=note.txt`, { method: 'POST', body: text, headers: { 'x-user': user, 'content-type': 'text/plain' } })
  ).json()) as {
    id: string;
    servedBy: string;
  };

async function setShare(share: number): Promise<void> {
  await cutover.stores.rollouts.decide({
    ...{ decisionId: randomUUID(), tool: 'kimi', decision: 'went_on', decidedBy: 'test', reason: 'test' },
    ...{ state: { stage: 'live', share, status: 'running', nextEpoch: true }, workflowId: null, runId: null, evidence: {} },
  });
}

describe('The example application', { timeout: 60_000 }, () => {
  test('uploads by the side that the share names, and reads every file whatever the share is then', async () => {
    const files: { id: string; text: string }[] = [];
    for (const [share, side] of [
      [0, 'legacy'],
      [100, 'unified'],
      [0, 'legacy'],
    ] as const) {
      await setShare(share);
      // A change reaches it within five seconds.
      await vi.waitFor(async () => expect((await upload('probe', 'prober')).servedBy).toBe(side), { timeout: 5000, interval: 200 });
      const text = `uploaded at ${share} % ${Math.random()}`;
      files.push({ id: (await upload(text, ANN)).id, text });
    }
    for (const { id, text } of files) expect(await (await fetch(`${url}/files/${id}`, { headers: { 'x-user': ANN } })).text()).toBe(text);
    const ids: string[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const page = await fetch(`${url}/files${after === '' ? '' : `?after=${encodeURIComponent(after)}`}`, {
        headers: { 'x-user': ANN },
      });
      const body = (await page.json()) as { files: { id: string }[]; next: string | null };
      ids.push(...body.files.map(({ id }) => id));
      after = body.next;
    }
    expect(ids.toSorted()).toEqual(files.map(({ id }) => id).toSorted());
    for (const { id } of files) {
      expect((await fetch(`${url}/files/${id}`, { method: 'DELETE', headers: { 'x-user': ANN } })).status).toBe(204);
      expect((await fetch(`${url}/files/${id}`, { headers: { 'x-user': ANN } })).status).toBe(404);
    }
  });

  test("keeps one user's files from another", async () => {
    await setShare(100);
    await vi.waitFor(async () => expect((await upload('probe', 'prober')).servedBy).toBe('unified'), { timeout: 5000, interval: 200 });
    const { id } = await upload('only mine', ANN);
    expect((await fetch(`${url}/files/${id}`, { headers: { 'x-user': 'bob' } })).status).toBe(404);
    expect((await fetch(`${url}/files/${id}`, { method: 'DELETE', headers: { 'x-user': 'bob' } })).status).toBe(404);
    expect(await (await fetch(`${url}/files/${id}`, { headers: { 'x-user': ANN } })).text()).toBe('only mine');
  });
});
