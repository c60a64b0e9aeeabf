import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resumingDownload } from '../../src/providers/download.ts';
import { createHttp, type Http } from '../../src/providers/http.ts';
import { drain } from '../support/bodies.ts';
import { LONG } from '../support/timeouts.ts';

function* endless() {
  for (const chunk = Buffer.alloc(1024 * 1024); ; ) yield chunk;
}

let server: http.Server;
let client: Http;
beforeAll(async () => {
  server = http.createServer((request, response) => {
    if (request.url === '/base/page') response.end('<html>');
    if (request.url === '/base/endless') Readable.from(endless()).pipe(response);
    if (request.url === '/base/part') response.writeHead(206).write('cde', () => response.end());
    if (request.url === '/base/moved') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`);
  client = createHttp({ base, headers: {}, speaker: { provider: 'test', where: 'here', advice: {}, secrets: [] } });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
const request = (path: string, signal = new AbortController().signal) =>
  ({ operation: 'info', method: 'GET', path, signal, limits: { idleMs: 5000, totalMs: 5000 } }) as const;

test('an abort is thrown as the reason it was given, even one that looks like a broken socket', async () => {
  const controller = new AbortController();
  const reason = Object.assign(new Error('stop'), { code: 'ECONNRESET' });
  setTimeout(() => controller.abort(reason), 50);
  await expect(client.call(request('/never', controller.signal))).rejects.toBe(reason);
});

test('an answer that is no JSON where JSON is due is refused, not parsed in vain', async () => {
  await expect(client.json(request('/page'))).rejects.toMatchObject({ code: 'unexpected_answer', retryable: false });
});

test('a redirect is not followed, so that the key stays here', async () => {
  await expect(client.call(request('/moved'))).rejects.toMatchObject({ code: 'unexpected_answer', retryable: false });
});

test('an answer without an end is refused before it fills the memory, and its connection closed', async () => {
  await expect(client.call({ ...request('/endless'), limits: { idleMs: 20_000, totalMs: 20_000 } })).rejects.toMatchObject({
    code: 'unexpected_answer',
  });
});

test('part of an object is no more than was asked for, where the answer does not say how long it is', async () => {
  const { sizeBytes, chunks } = await resumingDownload({
    ...{ http: client, path: '/part', signal: new AbortController().signal, range: { first: 2, last: 4 } },
    ...{ retry: { maxRetries: 0, budgetMs: 1000 }, timeouts: LONG, sizeOf: async () => 10 },
  });
  expect([sizeBytes, (await drain(chunks)).sizeBytes]).toEqual([3, 3]);
});
