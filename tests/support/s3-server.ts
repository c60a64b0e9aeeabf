import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** Answers PutObject as S3 does and throws the bytes away: what is measured is the client alone. */
export async function startS3Sink(): Promise<{ url: string; close(): Promise<void> }> {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      const checksum = request.headers['x-amz-checksum-sha256'];
      response
        .writeHead(200, { etag: '"sink"', 'content-length': 0, ...(checksum === undefined ? {} : { 'x-amz-checksum-sha256': checksum }) })
        .end();
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
