import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** Speaks as much of Supabase Storage as an upload needs, and throws the bytes away: what is measured is the client alone. */
export async function startStorageSink(): Promise<{ url: string; close(): Promise<void> }> {
  const sizes = new Map<string, number>();
  const server = http.createServer((request, response) => {
    const [, isInfo, key = ''] = /^\/storage\/v1\/object\/(info\/)?(.*)$/.exec(request.url ?? '') ?? [];
    let received = 0;
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    request.on('end', () => {
      if (isInfo === undefined) sizes.set(key, received);
      const answer = JSON.stringify(isInfo === undefined ? { Key: key, Id: key } : { size: sizes.get(key), content_type: 'x/y' });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
