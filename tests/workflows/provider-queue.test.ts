import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { uploadSettings } from '../../src/client/settings.ts';
import { providerQueue, type UploadInput, uploadWorkflowId } from '../../workflows/contract.ts';
import { type GeminiServer, startGeminiServer } from '../support/gemini-server.ts';
import { type Running, runOn } from '../support/running.ts';

/** Two workers on the real server, and a vendor with a rate. */
const RATE = 4;
const FILES = 16;

/** The ledger is everybody's: other tests have files of such names, too. */
const run = randomUUID().slice(0, 8);
const nameOf = (at: number) => `${run}-${at}.txt`;

describe('A provider that has a rate', () => {
  let server: GeminiServer;
  let cutover: Running;
  beforeAll(async () => {
    server = await startGeminiServer();
    const env = { GEMINI_API_KEY: server.apiKey, GEMINI_BASE_URL: server.url, GEMINI_UPLOADS_PER_SECOND: String(RATE) };
    cutover = await runOn({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') }, env, {
      workers: 2,
    });
  });
  afterAll(async () => {
    await cutover?.stop();
    await server?.close();
  });

  test('gets no more uploads a second than that from all workers together, and gets all of them', async () => {
    const started = performance.now();
    const results = await Promise.all(
      Array.from({ length: FILES }, async (_, at) => {
        const path = cutover.put(nameOf(at), `content ${at} ${Math.random()}`);
        const handle = await cutover.client.startUpload({
          idempotencyKey: `rate-${cutover.config.temporal.taskQueue}-${at}`,
          source: { kind: 'path', path, sizeBytes: 1, modifiedMs: 0 },
          provider: 'gemini',
          namespace: 'live',
          reference: { name: nameOf(at), tool: 'test', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
          verify: 'none',
          onDuplicate: 'reuse',
        });
        return await cutover.client.uploadResult(handle);
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    expect(new Set(results.map(({ providerFileId }) => providerFileId)).size).toBe(FILES);
    // The bucket of the server's rate limiter is full when it begins.
    expect(FILES / seconds).toBeLessThanOrEqual(RATE * 1.5);
    const uploadId = uploadWorkflowId(`rate-${cutover.config.temporal.taskQueue}-0`);
    expect(await activitiesOf(uploadId)).toContain(`storeContent on ${providerQueue(cutover.config.temporal.taskQueue, 'gemini')}`);
  }, 60_000);

  test('is recorded with what the vendor says of it: when the file will be gone', async () => {
    const usage = await cutover.stores.ledger.usage('gemini', cutover.stores.provider('gemini').account);
    expect(usage.reduce((sum, { files }) => sum + files, 0)).toBe(FILES);
    const [file] = await cutover.stores.ledger.filesByName(nameOf(0), 1);
    const copies = await cutover.stores.ledger.copies(file?.id ?? '');
    expect(Date.parse(copies[0]?.expiresAt ?? '') - Date.now()).toBeGreaterThan(47 * 3_600_000);
  });

  test('is served by its queue also when the rate is gone: what was started under it does not wait for ever', async () => {
    const { config, temporal } = cutover;
    const queue = providerQueue(config.temporal.taskQueue, 'supabase');
    const workflowId = uploadWorkflowId(`unrated-${config.temporal.taskQueue}`);
    const content = `unrated ${Math.random()}`;
    await temporal.workflow.execute('upload', {
      workflowId,
      taskQueue: config.temporal.taskQueue,
      args: [
        {
          idempotencyKey: workflowId,
          source: { kind: 'path', path: cutover.put('unrated.txt', content), sizeBytes: content.length, modifiedMs: 0 },
          provider: 'supabase',
          namespace: 'live',
          reference: { name: 'unrated.txt', tool: 'test', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
          verify: 'download',
          onDuplicate: 'reuse',
          settings: { ...uploadSettings(config, 'supabase'), providerQueue: queue },
        } satisfies UploadInput,
      ],
    });
    expect(await activitiesOf(workflowId)).toEqual(expect.arrayContaining([`storeContent on ${queue}`, `verifyCopy on ${queue}`]));
  });

  async function activitiesOf(workflowId: string): Promise<string[]> {
    const { events } = await cutover.temporal.workflow.getHandle(workflowId).fetchHistory();
    return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: activity }) =>
      activity == null ? [] : [`${activity.activityType?.name} on ${activity.taskQueue?.name}`],
    );
  }
});
