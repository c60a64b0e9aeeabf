import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { connectStores, type Stores } from '../../src/manager/stores.ts';
import { freshSeed, uploadOf } from '../support/bodies.ts';
import { type Ran, startCommand } from '../support/command.ts';
import { cleanEnv, scratchFolder } from '../support/stack.ts';
import { BUILD_TIMEOUT_MS, noVersitygw, type S3Server, startVersitygw } from '../support/versitygw.ts';

/** `cutover buckets` as a person uses it: settings, refusals, and no byte that goes without being asked for. */

const folder = scratchFolder('buckets');
const freshName = () => `cli-${randomUUID().slice(0, 8)}`;
const bucket = freshName();
const env = (more: Record<string, string> = {}) =>
  cleanEnv(folder.path, {
    TEMPORAL_ADDRESS: inject('temporal').address,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: bucket,
    ...more,
  });
const cutover = (args: readonly string[], more?: Record<string, string>): Promise<Ran> =>
  startCommand(['buckets', ...args], { cwd: folder.path, env: env(more) }).ended;
const stores = (): Stores => connectStores(loadConfig({ env: env(), cwd: folder.path }));
const signal = new AbortController().signal;

afterAll(() => folder.remove());

/** As a worker leaves it: an object, and a ledger that counts on it. */
async function storeFile(): Promise<string> {
  const { ledger, provider } = stores();
  const storage = provider('supabase');
  await storage.check(signal);
  const request = uploadOf(1000, freshSeed());
  const copy = { provider: 'supabase', account: storage.account, purpose: 'storage', namespace: 'live' as const };
  const claim = await ledger.claim({
    ...copy,
    content: { sha256: request.sha256, sizeBytes: 1000, mimeType: 'text/plain' },
    originalName: 'file.txt',
    owner: 'test',
    idempotencyKey: randomUUID(),
    leaseSeconds: 60,
  });
  const { id } = await storage.upload(request);
  await ledger.complete(claim.copyId, 'test', id);
  return claim.fileId;
}

describe('cutover buckets', { timeout: 60_000 }, () => {
  it('creates, lists, changes and deletes one', async () => {
    const name = freshName();
    const made = await cutover(['create', name, '--max-file-size', '5MB', '--mime-type', 'image/*', '--mime-type', 'text/plain', '--json']);
    expect([made.code, made.stderr]).toEqual([0, '']);
    expect(JSON.parse(made.stdout)).toMatchObject({
      name,
      public: false,
      maxFileBytes: 5 * 1024 * 1024,
      allowedMimeTypes: ['image/*', 'text/plain'],
    });
    expect((await cutover(['list'])).stdout).toMatch(new RegExp(`${name} +keys +5\\.0 MiB +image/\\* text/plain`));

    const changed = await cutover(['update', name, '--public', '--max-file-size', 'none', '--mime-type', 'all', '--json']);
    expect(JSON.parse(changed.stdout)).toMatchObject({ name, public: true, maxFileBytes: null, allowedMimeTypes: null });

    expect(await cutover(['delete', name])).toMatchObject({ code: 2, stderr: expect.stringMatching(/is empty[\s\S]*--yes/) });
    expect(await cutover(['delete', name, '--yes', '--json'])).toMatchObject({
      code: 0,
      stdout: `${JSON.stringify({ provider: 'supabase', bucket: name })}\n`,
    });
    expect((await cutover(['list', '--json'])).stdout).not.toContain(name);
  });

  it.each([
    [['update', 'some-bucket'], 'Say what to change'],
    [['update', 'some-bucket', '--public', '--private'], 'contradict'],
    [['create', 'some-bucket', '--max-file-size', 'large'], 'such as 50MB'],
    [['create', 'some-bucket', '--mime-type', 'pictures'], 'such as image/png'],
    [['list', '--provider', 'kimi'], 'supabase, s3'],
    [['empty', 'no-such-bucket', '--yes'], 'There is no bucket "no-such-bucket" at supabase'],
    [['delete', 'no-such-bucket', '--yes'], 'There is no bucket "no-such-bucket" at supabase'],
    [['update', 'no-such-bucket', '--public'], 'There is no bucket "no-such-bucket" at supabase'],
  ])('refuses %j, saying what is wrong', async (args, message) => {
    expect(await cutover(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('loses no file that the ledger counts on, and none without a yes', async () => {
    const fileId = await storeFile();
    await storeFile();
    const full = await cutover(['delete', bucket, '--yes']);
    expect(full).toMatchObject({ code: 2, stderr: expect.stringMatching(/has 2 objects \(2\.0 KiB\)\. Empty it first/) });

    const used = await cutover(['empty', bucket, '--yes']);
    expect(used).toMatchObject({ code: 2, stderr: expect.stringMatching(/counts on 2 files .*--force/) });
    expect(await cutover(['empty', bucket, '--force'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/has 2 objects \(2\.0 KiB\)[\s\S]*--yes/),
    });
    expect((await stores().ledger.copies(fileId))[0]).toMatchObject({ status: 'completed' });

    const emptied = await cutover(['empty', bucket, '--force', '--yes', '--json']);
    expect([emptied.code, JSON.parse(emptied.stdout)]).toEqual([0, { provider: 'supabase', bucket, files: 2, copies: 2 }]);
    // Nobody is handed a dead id.
    expect((await stores().ledger.copies(fileId))[0]).toMatchObject({ status: 'failed', lastErrorCode: 'bucket_emptied' });
    expect((await cutover(['delete', bucket, '--yes'])).code).toBe(0);
  });

  it('hands no id out of an emptied bucket, also not of a file that was deleted before', async () => {
    const fileId = await storeFile();
    const { ledger } = stores();
    expect(await ledger.softDelete(fileId, 'asked for')).toBe(1);
    const emptied = await cutover(['empty', bucket, '--yes', '--json']);
    expect([emptied.code, JSON.parse(emptied.stdout)]).toEqual([0, { provider: 'supabase', bucket, files: 1, copies: 0 }]);
    // A claim takes a deletion back, and would have found a copy whose object is gone.
    const { sha256 = '', sizeBytes = 0 } = (await ledger.file(fileId)) as { sha256: string; sizeBytes: number };
    const [copy] = await ledger.copies(fileId);
    const place = { provider: 'supabase', account: copy?.account ?? '', purpose: 'storage', namespace: 'live' as const };
    const content = { sha256, sizeBytes, mimeType: 'text/plain' };
    const request = { ...place, content, originalName: 'file.txt', owner: 'again', idempotencyKey: randomUUID(), leaseSeconds: 60 };
    const claim = await ledger.claim(request);
    expect(claim).toMatchObject({ outcome: 'claimed', lastErrorCode: 'bucket_emptied' });
    await ledger.fail(claim.copyId, 'again', 'cancelled');
  });

  it('refuses to empty one while something is on its way into it', async () => {
    const { ledger, provider } = stores();
    const place = { provider: 'supabase', account: provider('supabase').account, purpose: 'storage', namespace: 'live' as const };
    const content = { sha256: randomUUID().replaceAll('-', '').repeat(2), sizeBytes: 1, mimeType: 'text/plain' };
    const request = { ...place, content, originalName: 'file.txt', owner: 'test', idempotencyKey: randomUUID(), leaseSeconds: 60 };
    const claim = await ledger.claim(request);
    await provider('supabase').check(signal);
    expect(await cutover(['empty', bucket, '--yes'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/counts on 1 file .*--force/),
    });
    await ledger.fail(claim.copyId, 'test', 'cancelled');
    expect((await cutover(['empty', bucket, '--yes'])).code).toBe(0);
  });

  const without = noVersitygw();
  it.skipIf(without !== null)('does the same at S3, and says plainly what S3 has not', { timeout: BUILD_TIMEOUT_MS }, async () => {
    const server: S3Server = await startVersitygw();
    try {
      const name = freshName();
      const s3 = {
        S3_BUCKET: name,
        S3_ENDPOINT: server.url,
        S3_ACCESS_KEY_ID: server.accessKeyId,
        S3_SECRET_ACCESS_KEY: server.secretAccessKey,
      };
      const at = (args: string[]) => cutover([...args, '--provider', 's3'], s3);
      expect(await at(['create', name])).toMatchObject({ code: 0, stderr: `Created the bucket ${name} at s3.\n` });
      expect(await at(['create', name])).toMatchObject({ code: 2, stderr: expect.stringContaining('BucketAlready') });
      expect(await at(['update', name, '--public'])).toMatchObject({ code: 2, stderr: expect.stringContaining('policies') });
      expect((await at(['list', '--json'])).stdout).toContain(name);
      expect(await at(['empty', name, '--yes', '--json'])).toMatchObject({ code: 0, stdout: expect.stringContaining('"files":0') });
      expect((await at(['delete', name, '--yes'])).code).toBe(0);
    } finally {
      await server.close();
    }
  });
});
