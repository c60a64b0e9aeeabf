import { once } from 'node:events';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configuredLegacy, connectFacade, FileManagementError, FileNotFoundError, loadConfig, ValidationError } from '../src/index.ts';

/**
 * An application's upload service, with the facade where it called its old uploader: `node examples/upload-service.ts [port]`.
 *
 *   POST /files?name=NAME   the body is the file   x-user: whose it is
 *   GET /files              the user's files
 *   GET /files/ID           the bytes
 *   DELETE /files/ID
 */
const TOOL = 'kimi';
const config = loadConfig({ env: process.env, cwd: process.cwd() });
const legacy = configuredLegacy(config);
if (legacy === null) throw new Error('No old upload path is known: set LEGACY_URL or LEGACY_BUCKET');
const { facade, close } = await connectFacade(config, {
  legacy,
  stagingFolder: join(tmpdir(), 'cutover-staging'),
  onTrouble: (error) => console.error(error instanceof Error ? error.message : error),
});

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://service');
  const aborted = new AbortController();
  response.on('close', () => aborted.abort(new Error('the client has gone')));
  const user = [request.headers['x-user']].flat()[0];
  const caller = { tool: TOOL, userId: user ?? null, signal: aborted.signal };
  const id = decodeURIComponent(/^\/files\/(.+)$/.exec(pathname)?.[1] ?? '');
  const json = (status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

  if (request.method === 'POST' && pathname === '/files') {
    const name = searchParams.get('name') ?? 'file';
    const mimeType = request.headers['content-type'];
    const file = await facade.upload({ stream: request, name, ...(mimeType === undefined ? {} : { mimeType }) }, caller);
    json(201, file);
  } else if (request.method === 'GET' && pathname === '/files') {
    json(200, await facade.list({ after: searchParams.get('after') }, caller));
  } else if (request.method === 'GET' && id !== '') {
    const { sizeBytes, mimeType, chunks } = await facade.download(id, caller);
    response.writeHead(200, { 'content-length': sizeBytes, 'content-type': mimeType ?? 'application/octet-stream' });
    for await (const chunk of chunks) if (!response.write(chunk)) await once(response, 'drain', { signal: aborted.signal });
    response.end();
  } else if (request.method === 'DELETE' && id !== '') {
    response.writeHead((await facade.delete(id, caller)) ? 204 : 404).end();
  } else json(404, { error: 'not found' });
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    if (response.headersSent) return response.destroy();
    const status = error instanceof FileNotFoundError ? 404 : error instanceof ValidationError ? 400 : 502;
    const { code, message } = error instanceof FileManagementError ? error : { code: 'unknown', message: 'the upload failed' };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code, message }));
  });
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`);
});
process.once('SIGTERM', () => {
  server.close(() => void close());
  server.closeIdleConnections();
});
