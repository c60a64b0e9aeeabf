import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NewUpload } from '../../src/client/cutover-client.ts';
import type { PathSource } from '../../src/domain/models.ts';
import { hashFile } from '../../src/sources/local-file.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { startSilentServer } from '../support/silent-server.ts';

let cutover: Running;
beforeAll(async () => {
  cutover = await runCutover({}, { workers: 2 });
});
afterAll(() => cutover.stop());

const signal = new AbortController().signal;
let keys = 0;
/** The upload of a file that is there with this content. */
function uploadOf(name: string, content: Uint8Array | string, over: Partial<NewUpload> = {}): NewUpload & { source: PathSource } {
  keys += 1;
  const path = cutover.put(name, content);
  return {
    idempotencyKey: `${cutover.config.temporal.taskQueue}-${keys}`,
    source: { kind: 'path', path, sizeBytes: content.length, modifiedMs: 0 },
    provider: 'supabase',
    namespace: 'live',
    reference: { name, tool: 'test', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
    verify: 'none',
    onDuplicate: 'reuse',
    ...over,
  } as NewUpload & { source: PathSource };
}
const run = async (upload: NewUpload) => await cutover.client.uploadResult(await cutover.client.startUpload(upload));
const sha256 = (content: Uint8Array | string) => createHash('sha256').update(content).digest('hex');
async function storedBytes(id: string): Promise<Buffer> {
  const { chunks } = await cutover.stores.provider('supabase').download(id, { signal });
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

describe('an upload', () => {
  test.each([
    ['of 0 bytes', 0],
    ['of 1 byte', 1],
    ['of 5 MiB and a byte', 5 * 1024 * 1024 + 1],
  ])('%s comes back byte for byte and is in the ledger once', async (name, size) => {
    const content = randomBytes(size);
    const result = await run(uploadOf(name, content, { verify: 'download' }));
    expect(result).toMatchObject({ sha256: sha256(content), sizeBytes: size, verified: 'download' });
    expect((await storedBytes(result.providerFileId)).equals(content)).toBe(true);
    const copies = await cutover.stores.ledger.copies(result.fileId);
    expect(copies.filter(({ deletedAt }) => deletedAt === null)).toHaveLength(1);
    expect(copies[0]).toMatchObject({ status: 'completed', providerFileId: result.providerFileId, leaseOwner: null });
  });

  test('of content that is there already sends nothing, and both names hold the same file', async () => {
    const content = randomBytes(1000);
    const first = await run(uploadOf('first', content));
    const second = await run(uploadOf('second', content));
    expect(first.outcome).toBe('uploaded');
    expect(second).toMatchObject({ outcome: 'deduplicated', fileId: first.fileId, providerFileId: first.providerFileId });
    const names = (await cutover.stores.ledger.references(first.fileId)).map(({ name }) => name);
    expect(names.sort()).toEqual(['first', 'second']);
  });

  test('of content that is there already is an error where duplicates are not to be reused', async () => {
    const content = randomBytes(10);
    await run(uploadOf('first', content));
    await expect(run(uploadOf('again', content, { onDuplicate: 'error' }))).rejects.toMatchObject({ code: 'duplicate' });
  });

  test('done a hundred times at once by two workers makes one object and one row, and all get the same file', async () => {
    const content = randomBytes(5 * 1024 * 1024);
    const uploads = Array.from({ length: 100 }, (_, at) => uploadOf('the same', content, { idempotencyKey: `hundred-${keys}-${at}` }));
    const results = await Promise.all(uploads.map(run));
    expect(new Set(results.map(({ fileId }) => fileId)).size).toBe(1);
    expect(new Set(results.map(({ providerFileId }) => providerFileId)).size).toBe(1);
    expect(results.filter(({ outcome }) => outcome === 'uploaded')).toHaveLength(1);
    const file = await cutover.stores.ledger.fileByHash(sha256(content));
    expect(file?.id).toBe(results[0]?.fileId);
    expect(await cutover.stores.ledger.copies(file?.id ?? '')).toHaveLength(1);
    const listed: string[] = [];
    for await (const page of cutover.stores.provider('supabase').list({ under: results[0]?.providerFileId, signal }))
      listed.push(...page.objects.map(({ id }) => id).filter((id) => id.endsWith(sha256(content))));
    expect(listed).toHaveLength(1);
  }, 120_000);

  test.each([
    [undefined, 67.5],
    ['thinking', 101.25],
    ['fast', 47.25],
  ] as const)('for a %s model gives each attempt of a step %d s, and the time of its bytes', async (model, seconds) => {
    const sizeBytes = 8 * 1024 * 1024 + 1;
    const upload = uploadOf('for a model', randomBytes(sizeBytes), { model });
    const handle = await cutover.client.startUpload(upload);
    await cutover.client.uploadResult(handle);
    const { events } = await cutover.temporal.workflow.getHandle(handle.workflowId).fetchHistory();
    const limits = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: activity }) => {
      const { seconds: whole, nanos } = activity?.startToCloseTimeout ?? {};
      return activity == null ? [] : [[activity.activityType?.name, Number(whole) + (nanos ?? 0) / 1e9]];
    });
    const transferSeconds = seconds + Math.ceil((sizeBytes / cutover.config.files.minBytesPerSecond) * 1000) / 1000;
    expect(limits).toEqual([
      ['hashFile', transferSeconds],
      ['storeContent', transferSeconds],
    ]);
  });

  test('under the same idempotency key joins the one that runs', async () => {
    const upload = uploadOf('joined', randomBytes(3 * 1024 * 1024));
    const [one, two] = await Promise.all([run(upload), run(upload)]);
    expect(one).toEqual(two);
  });

  test('of a file that vanished fails and names it, and leaves no claim behind', async () => {
    const upload = uploadOf('vanished', 'x');
    rmSync(upload.source.path);
    await expect(run(upload)).rejects.toMatchObject({ code: 'file_vanished', message: expect.stringContaining('vanished') });
  });

  test('of a file that grew since it was listed sends what is there now', async () => {
    const upload = uploadOf('grown', 'before');
    appendFileSync(upload.source.path, ' and after');
    const result = await run(upload);
    expect(result.sha256).toBe(sha256('before and after'));
    expect((await storedBytes(result.providerFileId)).toString()).toBe('before and after');
  });

  test('to a provider that is not there says which there are', async () => {
    await expect(run(uploadOf('nowhere', 'x', { provider: 'nowhere' }))).rejects.toMatchObject({
      code: 'provider_not_found',
      message: expect.stringContaining('supabase'),
    });
  });

  test('of a copy that was damaged at the provider is sent again when verified by reading back', async () => {
    const content = randomBytes(400_000);
    const first = await run(uploadOf('precious', content));
    const [bucket, ...key] = first.providerFileId.split('/');
    const { url, secretKey } = cutover.config.supabase;
    const damaged = Buffer.from(content);
    damaged[7] = (damaged[7] as number) ^ 1;
    const response = await fetch(`${url}/storage/v1/object/${bucket}/${key.join('/')}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secretKey}`,
        apikey: secretKey ?? '',
        'x-upsert': 'true',
        'content-type': 'application/octet-stream',
      },
      body: damaged,
    });
    expect(response.status).toBe(200);
    const again = await run(uploadOf('precious', content, { verify: 'download' }));
    expect(again).toMatchObject({ outcome: 'uploaded', fileId: first.fileId, verified: 'download' });
    expect((await storedBytes(again.providerFileId)).equals(content)).toBe(true);
  });

  test('that is cancelled in the middle gives its claim up, so that the next one goes on at once', async () => {
    // Large enough to be under way when the cancellation arrives: a heartbeat brings it, each second.
    const upload = uploadOf('cancelled', '');
    upload.source.sizeBytes = 480 * 1024 * 1024;
    truncateSync(upload.source.path, upload.source.sizeBytes);
    const content = await hashFile(upload.source, { signal });
    const claimed = async () => {
      const file = await cutover.stores.ledger.fileByHash(content.sha256);
      return file === null ? undefined : (await cutover.stores.ledger.copies(file.id))[0]?.status;
    };
    const handle = await cutover.client.startUpload(upload);
    await expect.poll(claimed, { timeout: 20_000, interval: 20 }).toBe('uploading');
    await handle.cancel();
    await expect(cutover.client.uploadResult(handle)).rejects.toMatchObject({ code: 'cancelled' });
    expect(await claimed()).toBe('failed');
    const again = { ...upload, idempotencyKey: `${upload.idempotencyKey}-again` };
    expect(await run(again)).toMatchObject({ outcome: 'uploaded', ...content });
  }, 60_000);
});

describe('a provider that does not answer', () => {
  test('is given up by the worker as soon as the kind of model asks for it', async () => {
    const silent = await startSilentServer();
    // The other kinds would outlast the test.
    const env = { TOOL_TIMEOUT_SECONDS: '100', FAST_TIMEOUT_MULTIPLIER: '0.01', MAX_RETRY_ATTEMPTS: '0' };
    const impatient = await runCutover({ ...env, OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: silent.url });
    try {
      const path = impatient.put('slow.txt', `slow ${impatient.config.temporal.taskQueue}`);
      const { source, ...order } = uploadOf('slow.txt', '');
      const upload = { ...order, source: { ...source, path, sizeBytes: statSync(path).size }, provider: 'openai', attempts: 1 };
      const failed = impatient.client.startUpload({ ...upload, model: 'fast' }).then((handle) => impatient.client.uploadResult(handle));
      await expect(failed).rejects.toThrow(/openai.*(?:no byte moved for|not done after) 1 s/);
    } finally {
      await impatient.stop();
      silent.close();
    }
  }, 60_000);
});
