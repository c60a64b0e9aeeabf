import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createSupabaseLedger, type SupabaseLedgerOptions } from '../../src/ledger/supabase-ledger.ts';

const servers: (() => void)[] = [];
afterEach(() => {
  for (const close of servers.splice(0)) close();
});

/** A server that answers each request with the next of these, and the last one for ever. */
async function serve(...answers: ((request: IncomingMessage, response: ServerResponse) => void)[]) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume().on('end', () => answers[Math.min(requests.length, answers.length) - 1]?.(request, response));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  servers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = (options: Partial<SupabaseLedgerOptions> = {}) =>
    createSupabaseLedger({ url, secretKey: 'sb_secret_x', backoffMs: 1, ...options });
  return { open, requests };
}
const answer = (status: number, body: unknown) => (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
};
const cut = (_: IncomingMessage, response: ServerResponse) => response.destroy();
const cutInside = (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(200, { 'content-length': '100' });
  response.write('[');
  setTimeout(() => response.destroy(), 20);
};
const silent = () => {};

describe('A call of the ledger', () => {
  it('is repeated after what can pass: a broken connection, a busy gateway, half an answer', async () => {
    const { open, requests } = await serve(cut, answer(503, '<html>'), cutInside, answer(200, []));
    await expect(open().check()).resolves.toEqual([]);
    expect(requests).toHaveLength(4);
  });

  it('is given up after the retries that were asked for, with the last error', async () => {
    const { open, requests } = await serve(answer(503, { message: 'down' }));
    await expect(open({ maxRetries: 2 }).check()).rejects.toMatchObject({
      code: 'ledger_failed',
      retryable: true,
      message: expect.stringContaining('down'),
    });
    expect(requests).toHaveLength(3);
  });

  it('is not repeated when that cannot help', async () => {
    const { open, requests } = await serve(answer(401, { message: 'Invalid API key' }));
    await expect(open().check()).rejects.toMatchObject({ code: 'unauthorized', retryable: false });
    expect(requests).toHaveLength(1);
  });

  it('does not wait for ever', async () => {
    const { open } = await serve(silent);
    const started = performance.now();
    await expect(open({ timeoutMs: 200, maxRetries: 0 }).check()).rejects.toMatchObject({ code: 'timeout', retryable: true });
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('does not take the silence, the page or the redirect of another server for an answer', async () => {
    const redirect = (_: IncomingMessage, response: ServerResponse) => response.writeHead(302, { location: '/elsewhere' }).end();
    for (const strange of [answer(404, ''), answer(404, []), answer(204, ''), answer(200, '<html>welcome</html>'), redirect]) {
      const { open, requests } = await serve(strange);
      await expect(open().file('00000000-0000-4000-8000-000000000000')).rejects.toMatchObject({
        code: 'unexpected_answer',
        retryable: false,
      });
      expect(requests).toHaveLength(1);
    }
  });

  it('says that the schema is another one when an answer has another form', async () => {
    const { open } = await serve(answer(200, { outcome: 'maybe' }));
    const claim = open().claim({
      ...{
        provider: 'p',
        account: 'a',
        purpose: 's',
        namespace: 'live',
        owner: 'o',
        idempotencyKey: 'k',
        leaseSeconds: 1,
        originalName: 'n',
      },
      content: { sha256: '0'.repeat(64), sizeBytes: 1, mimeType: 'text/plain' },
    });
    await expect(claim).rejects.toMatchObject({ code: 'schema_missing', message: expect.stringContaining('claim_upload') });
  });

  it('carries the key, and never shows it in an error', async () => {
    const { open, requests } = await serve(answer(500, { message: 'no' }));
    const error = await open({ maxRetries: 0 })
      .check()
      .catch((thrown: Error) => thrown);
    expect(requests[0]?.headers).toMatchObject({ apikey: 'sb_secret_x', authorization: 'Bearer sb_secret_x' });
    expect(JSON.stringify(error) + String(error)).not.toContain('sb_secret_x');
  });

  it('uses connections again', async () => {
    const sockets = new Set<unknown>();
    const { open } = await serve((request, response) => {
      sockets.add(request.socket);
      answer(200, [])(request, response);
    });
    const ledger = open();
    for (let call = 0; call < 20; call++) await ledger.check();
    // The second is opened when a call begins before the first connection is free again.
    expect(sockets.size).toBeLessThanOrEqual(2);
  });
});
