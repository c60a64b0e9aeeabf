import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileNotFoundError, ProviderUnavailableError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import type { FacadeOptions } from '../../src/facade/facade.ts';
import type { CallContext } from '../../src/facade/file-service.ts';
import type { ApiOptions } from '../../src/server/app.ts';
import { memoryFacade, type RunningTestApi, startTestApi, TOKEN } from '../support/api.ts';
import type { MemoryFileService } from '../support/memory-file-service.ts';
import { canMountSmallDisk, mountSmallDisk } from '../support/small-disk.ts';

/** The HTTP API over a facade in memory: what it takes, what it refuses and how, and what it leaves behind. */

let api: RunningTestApi;
let legacy: MemoryFileService;
let spoolFolder: string;
beforeEach(() => {
  spoolFolder = mkdtempSync(join(tmpdir(), 'cutover-serve-test-'));
});
afterEach(async () => {
  await api.stop();
  rmSync(spoolFolder, { recursive: true });
});
async function start(more: Partial<ApiOptions> = {}, ofFacade: Partial<FacadeOptions> = {}): Promise<void> {
  const sides = memoryFacade(0, { maxFileBytes: 1000, spoolFolder, ...ofFacade });
  legacy = sides.legacy;
  api = await startTestApi(sides.facade, { maxFileBytes: 1000, ...more });
}
const upload = (query: string, init: RequestInit = {}) => api.ask(`/files?${query}`, { method: 'POST', body: 'hello', ...init });
const refusal = async (answer: Response) => ({ status: answer.status, ...((await answer.json()) as { code: string; message: string }) });

/** A request whose body is given piece by piece. */
function slowUpload(headers: http.OutgoingHttpHeaders = {}) {
  const request = http.request(`${api.url}/files?name=a.txt&tool=kimi`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, ...headers },
  });
  request.on('error', () => undefined);
  const answered = once(request, 'response').then(([response]) => response as http.IncomingMessage);
  answered.catch(() => undefined);
  return { request, answered };
}

describe('An upload over HTTP', () => {
  beforeEach(() => start());

  test('answers the file, the side that keeps it and the operation', async () => {
    const answer = await upload('name=note.txt&tool=kimi&user=ann&operation_id=request-17&purpose=extract&model=thinking');
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-operation-id')).toBe('request-17');
    expect(await answer.json()).toEqual({
      ...{ id: expect.stringMatching(/^old\/files-/), name: 'note.txt', size_bytes: 5, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      ...{ mime_type: 'text/plain;charset=UTF-8', served_by: 'legacy', fallback: false, operation_id: 'request-17' },
    });
    expect(legacy.uploads[0]?.context).toMatchObject({
      ...{ userId: 'ann', tool: 'kimi', purpose: 'extract', model: 'thinking', operationId: 'request-17' },
    });
    expect(readdirSync(spoolFolder)).toEqual([]);
  });

  test('takes the type from the name where the client says nothing, or what curl says of everything', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await (await upload('name=photo.png&tool=kimi', { headers })).json()).toMatchObject({ mime_type: 'image/png' });
    const { request, answered } = slowUpload({ 'content-length': 5 });
    request.end('hello');
    expect((await answered).statusCode).toBe(201);
    expect(legacy.uploads.at(-1)?.file.mimeType).toBe('text/plain');
  });

  test('takes an empty file that says so', async () => {
    expect(await (await upload('name=empty&tool=kimi', { body: '' })).json()).toMatchObject({ size_bytes: 0 });
  });

  test.each<[string, string, RequestInit, number, string, RegExp]>([
    ['an unknown tool', 'name=a&tool=fax', {}, 400, 'unknown_tool', /"fax".*kimi, supabase/],
    ['no tool', 'name=a', {}, 400, 'invalid_tool', /kimi, supabase/],
    ['no name', 'tool=kimi', {}, 400, 'invalid_name', /`name` in the query is missing/],
    ['an empty name', 'tool=kimi&name=', {}, 400, 'invalid_name', /1 to 4096/],
    ['a name that no database keeps', 'tool=kimi&name=a%00b', {}, 400, 'invalid_name', /zero byte/],
    ['an empty user', 'tool=kimi&name=a&user=', {}, 400, 'invalid_user', /1 to 500/],
    ['an unknown kind of model', 'tool=kimi&name=a&model=slow', {}, 400, 'invalid_model', /standard, thinking, fast/],
    ['an operation id with spaces', 'tool=kimi&name=a&operation_id=a+b', {}, 400, 'invalid_operation_id', /A-Z/],
    ['too many bytes', 'tool=kimi&name=a', { body: 'x'.repeat(1001) }, 413, 'file_too_large', /1001 bytes; at most 1000/],
    ['a form', 'tool=kimi&name=a', { body: new FormData() }, 415, 'unsupported_media_type', /not a form/],
    ['compressed bytes', 'tool=kimi&name=a', { headers: { 'content-encoding': 'gzip' } }, 415, 'unsupported_media_type', /gzip/],
    ['a type that is none', 'tool=kimi&name=a', { headers: { 'content-type': 'text' } }, 415, 'unsupported_media_type', /"text"/],
  ])('of %s is refused, with what is wrong and what is allowed, and nothing is kept', async (_, query, init, status, code, message) => {
    expect(await refusal(await upload(query, init))).toEqual({ status, code, message: expect.stringMatching(message) });
    expect([legacy.uploads, readdirSync(spoolFolder)]).toEqual([[], []]);
  });

  test('without a body and without its length is refused, because nobody can tell it from a forgotten one', async () => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.write(`POST /files?name=a&tool=kimi HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`);
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1.1 411 /);
    socket.destroy();
  });

  test('that is too large is refused before the body is sent, where the client waits for that', async () => {
    const { request, answered } = slowUpload({ 'content-length': 5000, expect: '100-continue' });
    let asked = false;
    request.on('continue', () => {
      asked = true;
    });
    request.flushHeaders();
    expect((await answered).statusCode).toBe(413);
    expect(asked).toBe(false);
    request.destroy();
  });

  test('that waits to be asked for its body is asked', async () => {
    const { request, answered } = slowUpload({ 'content-length': 5, expect: '100-continue' });
    request.on('continue', () => request.end('hello'));
    request.flushHeaders();
    expect((await answered).statusCode).toBe(201);
  });

  test('of unknown length that grows too large is refused, and the answer arrives', async () => {
    const { request, answered } = slowUpload();
    request.write('x'.repeat(600));
    request.write('x'.repeat(600));
    const response = await answered;
    expect(response.statusCode).toBe(413);
    expect(readdirSync(spoolFolder)).toEqual([]);
    request.destroy();
  });

  test('whose client goes away in the middle reaches no side and leaves nothing behind', async () => {
    const { request } = slowUpload({ 'content-length': 1000 });
    request.write('x'.repeat(500));
    await expect.poll(() => readdirSync(spoolFolder)).toHaveLength(1);
    request.destroy();
    await expect.poll(() => api.lines).toHaveLength(1);
    expect(api.lines[0]).toMatchObject({ status: 499, route: '/files', tool: 'kimi' });
    expect([legacy.uploads, readdirSync(spoolFolder)]).toEqual([[], []]);
  });
});

describe('What a side fails at', () => {
  const unavailable = (code: string, retryable: boolean, retryAfterMs?: number) =>
    new ProviderUnavailableError('down', { code, retryable, retryAfterMs });
  test.each<[Error, number, string | null]>([
    [unavailable('rate_limited', true, 1500), 429, '2'],
    [unavailable('unavailable', true, 20_000), 503, '20'],
    [unavailable('unavailable', true), 503, null],
    [unavailable('legacy_answer_invalid', false), 502, null],
    [new UploadError('no', { code: 'unauthorized' }), 502, null],
    [new UploadError('no room', { code: 'insufficient_storage' }), 507, null],
    [new ValidationError('empty', { code: 'file_empty' }), 422, null],
    [new ValidationError('extension', { code: 'extension_not_allowed' }), 415, null],
  ])('%s is answered with %i', async (error, status, retryAfter) => {
    await start();
    legacy.failing = error;
    const answer = await upload('name=a.txt&tool=kimi');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, retryAfter]);
    expect(await answer.json()).toEqual({ code: (error as ValidationError).code, message: error.message });
  });

  test('without having been foreseen is told without its words, which are in the log under the operation id', async () => {
    await start();
    legacy.failing = new TypeError('cannot read secrets of undefined');
    const told = await refusal(await upload('name=a.txt&tool=kimi&operation_id=op-1'));
    expect(told).toEqual({ status: 500, code: 'unexpected', message: expect.stringContaining('op-1') });
    expect(api.lines).toMatchObject([{ operationId: 'op-1', status: 500, code: 'unexpected', error: 'cannot read secrets of undefined' }]);
    expect(JSON.stringify([told, api.lines])).not.toContain('    at ');
  });

  test('in the middle of a download cuts the connection, so that it does not look whole', async () => {
    await start();
    const { id } = (await (await upload('name=a.txt&tool=kimi')).json()) as { id: string };
    legacy.download = async () => ({
      sizeBytes: 10,
      mimeType: null,
      chunks: (async function* () {
        yield Buffer.from('half ');
        throw unavailable('connection_broken', true);
      })(),
    });
    const read = async () => await (await api.ask(`/files/${encodeURIComponent(id)}/content?tool=kimi`)).arrayBuffer();
    await expect(read()).rejects.toThrow();
    expect(api.lines.at(-1)).toMatchObject({ route: '/files/:id/content', code: 'connection_broken' });
  });
});

describe.skipIf(!canMountSmallDisk())('A disk that is full', () => {
  test('is said plainly, with 507, and what was written of the upload is removed', async () => {
    const disk = mountSmallDisk(1);
    if (disk === null) throw new Error('it could be mounted a moment ago');
    const large = 5 * 1024 * 1024;
    await start({ maxFileBytes: large }, { maxFileBytes: large, spoolFolder: disk.path });
    const told = await refusal(await upload('name=a.bin&tool=kimi', { body: Buffer.alloc(3 * 1024 * 1024) }));
    expect(told).toEqual({ status: 507, code: 'insufficient_storage', message: expect.stringContaining(`no room left in ${disk.path}`) });
    expect([legacy.uploads, readdirSync(disk.path)]).toEqual([[], []]);
    disk.remove();
  });
});

describe('Clients that stall', () => {
  test('while they send are cut off, and nothing is left', async () => {
    await start({ idleMs: 100 });
    const { request, answered } = slowUpload({ 'content-length': 1000 });
    request.write('x');
    await expect(answered).rejects.toThrow();
    await expect.poll(() => api.lines).toMatchObject([{ status: 408, code: 'body_timeout' }]);
    expect([legacy.uploads, readdirSync(spoolFolder)]).toEqual([[], []]);
  });

  test('while they read are cut off, and what they read is let go', async () => {
    await start({ idleMs: 100 });
    let isLetGo = false;
    const endless = async function* () {
      try {
        for (;;) yield Buffer.alloc(1024 * 1024);
      } finally {
        isLetGo = true;
      }
    };
    legacy.download = async () => ({ sizeBytes: 2 ** 40, mimeType: null, chunks: endless() });
    const request = http.get(`${api.url}/files/x/content?tool=kimi`, { headers: { authorization: `Bearer ${TOKEN}` } });
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.on('error', () => undefined).pause();
    await expect.poll(() => isLetGo, { timeout: 5000 }).toBe(true);
    await expect.poll(() => api.lines).toMatchObject([{ route: '/files/:id/content', code: 'body_timeout' }]);
    request.destroy();
  });
});

describe('The token', () => {
  beforeEach(() => start());
  test.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer a-token-of-the-testz' }],
    ['one that begins like it', { authorization: `Bearer ${TOKEN}x` }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
  ])('is asked for: %s is refused, also where there is nothing', async (_, headers) => {
    for (const path of ['/files?tool=kimi', '/files/x?tool=kimi', '/metrics', '/nowhere']) {
      const answer = await fetch(`${api.url}${path}`, { headers: headers as Record<string, string> });
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="cutover"']);
      expect(await answer.text()).not.toContain(TOKEN);
    }
  });
  test.each(['/healthz', '/readyz', '/openapi.json'])('is not needed for %s', async (path) => {
    expect((await fetch(`${api.url}${path}`)).status).toBe(200);
  });
});

describe('Reading', () => {
  beforeEach(() => start());
  test.each(['limit=0', 'limit=1001', 'limit=x', 'after=nonsense'])('a list with %s is refused', async (query) => {
    expect(await refusal(await api.ask(`/files?tool=kimi&${query}`))).toMatchObject({
      status: 400,
      code: `invalid_${query.split('=')[0]}`,
    });
  });
  test.each(['a/b', 'Ü %2F?#&', '100%', '%2f'])('finds an id as it was: %s', async (id) => {
    const stored = { id, name: 'x', sizeBytes: 1, mimeType: null, sha256: null };
    legacy.files.set(id, { ...stored, bytes: Buffer.from('x'), userId: null });
    const path = `/files/${encodeURIComponent(id)}`;
    expect(await (await api.ask(`${path}?tool=kimi`)).json()).toMatchObject({ id });
    expect(await (await api.ask(`${path}/content?tool=kimi`)).text()).toBe('x');
    expect((await api.ask(`${path}?tool=kimi`, { method: 'DELETE' })).status).toBe(204);
    expect((await api.ask(`${path}?tool=kimi`, { method: 'DELETE' })).status).toBe(404);
  });
  test('carries the kind of model to the side, for every operation', async () => {
    const asked: string[] = [];
    const noted = (operation: string) => (_: unknown, context: CallContext) => {
      asked.push(`${operation} ${context.model}`);
      return Promise.reject(new FileNotFoundError('no', { code: 'not_found' }));
    };
    Object.assign(legacy, Object.fromEntries(['info', 'download', 'delete', 'list'].map((name) => [name, noted(name)])));
    for (const path of ['/files/x', '/files/x/content', '/files']) await api.ask(`${path}?tool=kimi&model=fast&after=l:`);
    await api.ask('/files/x?tool=kimi&model=thinking', { method: 'DELETE' });
    expect(asked).toEqual(['info fast', 'download fast', 'list fast', 'delete thinking']);
    expect((await api.ask('/files/x?tool=kimi&model=')).status).toBe(400);
  });
  test('tells of a file by HEAD without reading it', async () => {
    const { id } = (await (await upload('name=a.txt&tool=kimi')).json()) as { id: string };
    legacy.download = () => Promise.reject(new Error('was read'));
    const head = await api.ask(`/files/${encodeURIComponent(id)}/content?tool=kimi`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5']);
  });
  test('by another method says which there are', async () => {
    const answer = await api.ask('/files?tool=kimi', { method: 'PUT', body: 'x' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, GET']);
  });
  test('logs a line for each request, which names no file', async () => {
    await upload('name=secret-plan.txt&tool=kimi&operation_id=op-1&user=ann');
    await api.ask('/files/secret-plan?tool=kimi&operation_id=op-2');
    expect(api.lines).toMatchObject([
      { operationId: 'op-1', method: 'POST', route: '/files', tool: 'kimi', status: 201, ms: expect.any(Number) },
      { operationId: 'op-2', method: 'GET', route: '/files/:id', status: 404, code: 'not_found' },
    ]);
    expect(JSON.stringify(api.lines)).not.toContain('secret-plan');
  });
});

describe('A server that is told to stop', () => {
  beforeEach(() => start());
  test('takes no more on connections that are open, and says when to come again', async () => {
    api.beginStopping();
    const answer = await upload('name=a.txt&tool=kimi');
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('connection')]).toEqual([503, '1', 'close']);
    expect((await fetch(`${api.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  });
  test('lets an upload finish that is under way', async () => {
    const { request, answered } = slowUpload({ 'content-length': 10 });
    request.write('hello');
    await expect.poll(() => readdirSync(spoolFolder)).toHaveLength(1);
    const stopped = api.stop(10_000);
    request.end('world');
    expect((await answered).statusCode).toBe(201);
    expect(await stopped).toBe(0);
    expect(legacy.files.size).toBe(1);
  });
  test('cuts off what takes longer than the grace, and leaves nothing behind', async () => {
    const { request, answered } = slowUpload({ 'content-length': 10 });
    request.write('hello');
    await expect.poll(() => readdirSync(spoolFolder)).toHaveLength(1);
    expect(await api.stop(50)).toBe(1);
    await expect(answered).rejects.toThrow();
    expect([legacy.uploads, readdirSync(spoolFolder)]).toEqual([[], []]);
  });
});
