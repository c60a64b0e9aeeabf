import { afterEach, expect, test } from 'vitest';
import { type MetricsServer, type MetricsServerOptions, serveMetrics } from '../../src/observability/metrics-server.ts';

let server: MetricsServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});
async function serve(more: Partial<MetricsServerOptions> = {}): Promise<string> {
  const well = { address: '127.0.0.1', port: 0, metrics: async () => 'a 1\n', health: async () => ({ ok: true, parts: {} }) };
  server = await serveMetrics({ ...well, ...more });
  return server.url;
}

test('What is unwell answers 503 and says which part', async () => {
  const url = await serve({ health: async () => ({ ok: false, parts: { worker: 'draining', temporal: 'ok' } }) });
  const response = await fetch(`${url}/healthz`);
  expect([response.status, await response.json()]).toEqual([503, { status: 'unwell', worker: 'draining', temporal: 'ok' }]);
});

test('Metrics have the type that a Prometheus asks for', async () => {
  const response = await fetch(`${await serve()}/metrics?x=1`);
  expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
    200,
    expect.stringContaining('text/plain; version=0.0.4'),
    'a 1\n',
  ]);
});

test('What goes wrong within is an answer, and not the end of the server', async () => {
  const url = await serve({ metrics: () => Promise.reject(new Error('broken')) });
  expect((await fetch(`${url}/metrics`)).status).toBe(500);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test('A port that is taken, and an address that is not of this machine, are mistakes with a name', async () => {
  const port = Number(new URL(await serve()).port);
  const other = { metrics: async () => '', health: async () => ({ ok: true, parts: {} }) };
  await expect(serveMetrics({ ...other, address: '127.0.0.1', port })).rejects.toMatchObject({
    name: 'ValidationError',
    code: 'port_taken',
    message: expect.stringContaining('CUTOVER_METRICS_PORT'),
  });
  await expect(serveMetrics({ ...other, address: '192.0.2.1', port: 0 })).rejects.toMatchObject({
    code: 'address_unusable',
    message: expect.stringContaining('192.0.2.1 (CUTOVER_METRICS_ADDRESS)'),
  });
});
