import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { connectClient } from '../../src/client/cutover-client.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import type { Tracing } from '../../src/domain/tracing.ts';
import { type ConnectedFacade, connectFacade } from '../../src/facade/connect.ts';
import { connectTracing } from '../../src/observability/tracing.ts';
import { startCommand } from '../support/command.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';
import { type Scratch, scratchWith } from '../support/scratch.ts';
import { type SeenSpan, startTraceCollector, type TraceCollector } from '../support/trace-collector.ts';

/** One upload, followed from the application's facade into the worker: by its trace, and by its operation id in the log. */

/** One that nobody else ramps: what is in force is the ledger's, which all tests share. */
const TOOL = 'followed';
const USER = `user-${randomUUID()}`;
const NAME = `name-of-a-file-${randomUUID()}`;
const taskQueue = `follow-${randomUUID().slice(0, 8)}`;
let collector: TraceCollector;
let folder: Scratch;
let config: Config;
let worker: ReturnType<typeof startCommand>;
let tracing: Tracing;
let application: ConnectedFacade;

beforeAll(async () => {
  collector = await startTraceCollector();
  folder = scratchWith('follow');
  const traces = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' };
  const env = folder.env({
    TEMPORAL_ADDRESS: inject('temporal').address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: taskQueue,
    ALLOWED_EXTENSIONS: 'txt',
    CUTOVER_LOG_LEVEL: 'debug',
    ENABLE_UNIFIED_MANAGER: 'true',
    CUTOVER_TOOLS: TOOL,
    ENABLE_FOLLOWED_MIGRATION: 'true',
    FOLLOWED_ROLLOUT_PERCENTAGE: '100',
    ...traces,
  });
  worker = startCommand(['worker'], { cwd: folder.path, env });
  await vi.waitFor(() => expect(worker.said.stderr).toContain('"ready"'), { timeout: 60_000, interval: 50 });
  for (const [name, value] of Object.entries(traces)) vi.stubEnv(name, value);
  tracing = await connectTracing({ env: traces, service: 'an-application', warn: (message) => expect.fail(message) });
  config = loadConfig({ env, cwd: folder.path });
  application = await connectFacade(config, { legacy: createMemoryFileService('legacy'), stagingFolder: folder.path, tracing });
}, 90_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await application?.close();
  await tracing?.close();
  worker?.child.kill('SIGTERM');
  await worker?.ended;
  await collector?.close();
  folder?.remove();
});

const named = (name: string, among: readonly SeenSpan[] = collector.spans) => among.find((span) => span.name === name);
/** The names of a span and of those that it is in, the outermost first. */
function pathTo(span: SeenSpan | undefined): string[] {
  if (span === undefined) return [];
  return [...pathTo(collector.spans.find(({ spanId }) => spanId === span.parentSpanId)), span.name];
}
/** Of one operation, as soon as its outermost span is there and its workflow has ended. */
async function traceOf(operationId: string, last: string): Promise<SeenSpan[]> {
  return await vi.waitFor(
    () => {
      const root = collector.spans.find((span) => span.attributes['cutover.operation_id'] === operationId && span.parentSpanId === null);
      const spans = collector.spans.filter(({ traceId }) => traceId === root?.traceId);
      if (named(last, spans) === undefined || named('workflow upload', spans) === undefined)
        throw new Error(`of ${operationId} there are ${spans.map(({ name }) => name).join(', ')}`);
      return spans;
    },
    { timeout: 20_000, interval: 50 },
  );
}
async function upload(name: string, content: Uint8Array, operationId: string) {
  return await application.facade.upload({ path: folder.put(name, content) }, { tool: TOOL, userId: USER, operationId });
}

describe('A trace', { timeout: 60_000 }, () => {
  test('of a small upload goes from the facade through the workflow and its activity to the provider, under one id', async () => {
    const operationId = randomUUID();
    await upload(`${NAME}.txt`, randomBytes(500), operationId);
    const spans = await traceOf(operationId, 'upload at supabase');
    expect(pathTo(named('upload at supabase', spans))).toEqual([
      'facade upload',
      'unified upload',
      'workflow upload',
      'activity uploadSmallFile',
      'upload at supabase',
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['an-application', 'cutover-worker']));
    expect(spans.filter(({ failed }) => failed)).toEqual([]);
    expect(named('activity uploadSmallFile', spans)?.attributes).toMatchObject({
      'cutover.operation_id': operationId,
      'cutover.tool': TOOL,
      'cutover.provider': 'supabase',
      'temporal.workflow_id': expect.stringMatching(/^upload:/),
    });
    expect(named('upload at supabase', spans)?.attributes).toMatchObject({ 'cutover.provider': 'supabase', 'cutover.size_bytes': 500 });
    for (const { startMs, endMs } of spans) expect(endMs).toBeGreaterThanOrEqual(startMs);
  });

  test('of a large one has each step as a span of its workflow', async () => {
    const operationId = randomUUID();
    await upload(`${NAME}-large.txt`, randomBytes(2 << 20), operationId);
    const spans = await traceOf(operationId, 'activity recordUpload');
    const workflow = named('workflow upload', spans);
    const steps = spans.filter(({ parentSpanId }) => parentSpanId === workflow?.spanId).map(({ name }) => name);
    expect(steps.sort()).toEqual(['activity claimContent', 'activity hashFile', 'activity recordUpload', 'activity storeContent']);
    expect(pathTo(named('upload at supabase', spans)).at(-2)).toBe('activity storeContent');
  });

  test('of an upload that is refused says so in each span, by the code alone', async () => {
    const operationId = randomUUID();
    await expect(upload(`${NAME}.exe`, randomBytes(10), operationId)).rejects.toMatchObject({ code: 'extension_not_allowed' });
    const spans = await traceOf(operationId, 'facade upload');
    const codes = spans.map(({ name, failed, attributes }) => [name, failed, attributes['error.type']]);
    for (const name of ['facade upload', 'workflow upload', 'activity uploadSmallFile'])
      expect(codes).toContainEqual([name, true, 'extension_not_allowed']);
  });

  test('of a migration holds its uploads, which are workflows of their own', async () => {
    folder.put('of-a-migration.txt', randomBytes(40));
    const client = await connectClient(config, tracing);
    const manifest = folder.put('list.csv', 'path\nof-a-migration.txt\n');
    await tracing.span('a night', { begins: true }, async () => {
      const migrationId = await client.startMigration({
        source: { kind: 'manifest', path: manifest },
        ...{ provider: 'supabase', concurrency: 2, verify: 'none' },
      });
      await client.migrationResult(migrationId);
    });
    await client.close();
    await vi.waitFor(
      () => {
        const night = named('a night');
        const spans = collector.spans.filter(({ traceId }) => traceId === night?.traceId);
        expect(pathTo(named('upload at supabase', spans))).toEqual([
          'a night',
          'workflow migrate',
          'workflow upload',
          'activity uploadSmallFile',
          'upload at supabase',
        ]);
      },
      { timeout: 20_000, interval: 50 },
    );
  });

  test('names no file and no user', () => {
    expect(collector.spans.length).toBeGreaterThan(15);
    for (const secret of [NAME, USER, folder.path, 'of-a-migration']) expect(collector.said()).not.toContain(secret);
  });
});

describe("A worker's log", () => {
  test('says of each activity whose work it is, by the id that the caller has', async () => {
    const operationId = randomUUID();
    await upload('logged.txt', randomBytes(100), operationId);
    const about = await vi.waitFor(() => {
      const lines = worker.said.stderr.split('\n').flatMap((line) => (line.includes(operationId) ? [JSON.parse(line)] : []));
      for (const msg of ['Activity completed', 'Workflow completed']) expect(lines).toContainEqual(expect.objectContaining({ msg }));
      return lines;
    });
    // The SDK says that it begins before anybody has seen its input.
    const ofActivity = about.filter(({ activityType, msg }) => activityType === 'uploadSmallFile' && msg !== 'Activity started');
    expect(ofActivity.length).toBeGreaterThan(0);
    for (const line of ofActivity)
      expect(line).toMatchObject({
        operationId,
        workflowId: expect.stringMatching(/^upload:[0-9a-f-]{36}$/),
        tool: TOOL,
        provider: 'supabase',
        service: 'worker',
      });
    expect(ofActivity.every((line) => !('taskToken' in line))).toBe(true);
    const ofWorkflow = about.filter(({ msg }) => msg === 'Workflow completed');
    for (const line of ofWorkflow) expect(line).toMatchObject({ operationId, workflowId: expect.stringMatching(/^upload:/) });
    expect(ofWorkflow.length).toBeGreaterThan(0);
  });

  test('says why one failed, at a level that is seen', () => {
    const failed = worker.said.stderr
      .split('\n')
      .find((line) => line.includes('Activity failed') && line.includes('extension_not_allowed'));
    expect(JSON.parse(failed ?? '{}')).toMatchObject({
      level: 40,
      tool: TOOL,
      activityType: 'uploadSmallFile',
      error: { type: 'ApplicationFailure' },
    });
  });
});
