import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** Speaks as much of the Data API as taking a sample needs, and keeps nothing: what is measured is who calls it. */
export async function startLedgerSink(): Promise<{ url: string; calls(): number; close(): Promise<void> }> {
  let calls = 0;
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      calls += 1;
      response.writeHead(200, { 'content-type': 'application/json' }).end('"taken"');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
