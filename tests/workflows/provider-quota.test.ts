import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCutover } from '../support/cutover.ts';
import { type KimiServer, startKimiServer } from '../support/kimi-server.ts';
import type { Running } from '../support/running.ts';

/** Kimi's account of 1,000 files, full, over the real server and the real ledger. */
describe('An account that is full', { timeout: 60_000 }, () => {
  let server: KimiServer;
  let cutover: Running;
  beforeAll(async () => {
    server = await startKimiServer();
    await Promise.all(Array.from({ length: 20 }, (_, at) => fill(server, 50, `${at}`)));
    cutover = await runCutover({ KIMI_API_KEY: server.apiKey, KIMI_BASE_URL: `${server.url}/v1`, KIMI_UPLOADS_PER_SECOND: '20' });
  }, 60_000);
  afterAll(async () => {
    await cutover?.stop();
    await server?.close();
  });

  async function upload(name: string, content: Buffer) {
    const path = cutover.put(name, content);
    const handle = await cutover.client.startUpload({
      idempotencyKey: `${cutover.config.temporal.taskQueue} ${name}`,
      source: { kind: 'path', path, sizeBytes: content.length, modifiedMs: 0 },
      provider: 'kimi',
      namespace: 'live',
      reference: { name, tool: 'test', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
      verify: 'none',
      onDuplicate: 'reuse',
    });
    return await cutover.client.uploadResult(handle);
  }

  test('refuses a file before a byte is sent, with the limit and what to do, and nothing stays as uploading', async () => {
    const content = randomBytes(100);
    await expect(upload('one.txt', content)).rejects.toMatchObject({
      code: 'quota_exceeded',
      message: expect.stringMatching(/The account at kimi holds 1000 files, and at most 1000 are allowed: delete some/),
    });
    const { ledger } = cutover.stores;
    const file = await ledger.fileByHash(createHash('sha256').update(content).digest('hex'));
    expect(await ledger.copies(file?.id ?? '')).toMatchObject([{ status: 'failed', lastErrorCode: 'quota_exceeded', leaseOwner: null }]);
  });

  test('takes files again as soon as somebody has made room there', async () => {
    const kimi = cutover.stores.provider('kimi');
    const signal = AbortSignal.timeout(10_000);
    const [page] = await firstPage(kimi.list({ signal }));
    await kimi.delete(page ?? '', signal);
    await expect
      .poll(() => upload('two.txt', randomBytes(100)).catch(({ code }) => code), { timeout: 20_000 })
      .toMatchObject({
        provider: 'kimi',
        outcome: 'uploaded',
      });
  });
});

async function firstPage(pages: AsyncIterable<{ objects: { id: string }[] }>): Promise<string[]> {
  for await (const { objects } of pages) return objects.map(({ id }) => id);
  return [];
}

async function fill({ url, apiKey }: KimiServer, count: number, prefix: string): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const body = new FormData();
    body.append('purpose', 'file-extract');
    body.append('file', new Blob([`${prefix} ${at}`]), `${prefix}-${at}.txt`);
    const response = await fetch(`${url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${apiKey}` }, body });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  }
}
