import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, ValidationError } from '../domain/errors.ts';
import { METRICS_CONTENT_TYPE } from './metrics.ts';

/** Whether a process can do its work; `parts` say of each thing that it needs `ok`, or what is wrong. */
export interface Health {
  ok: boolean;
  parts: Readonly<Record<string, string>>;
}

export interface MetricsServerOptions {
  address: string;
  /** 0: a free one. */
  port: number;
  metrics: () => Promise<string>;
  health: () => Promise<Health>;
}

export interface MetricsServer {
  /** `http://127.0.0.1:9464`, with the port that it has. */
  url: string;
  close(): Promise<void>;
}

/**
 * `/metrics` for Prometheus, `/healthz` for whoever restarts what is unwell (200, else 503).
 * @throws ValidationError `port_taken`, `address_unusable`
 */
export async function serveMetrics({ address, port, metrics, health }: MetricsServerOptions): Promise<MetricsServer> {
  const server = http.createServer((request, response) => {
    answer(request, { metrics, health }).then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body),
      (error: unknown) => response.writeHead(500, { 'content-type': TEXT }).end(`${messageOf(error)}\n`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, address, port)));
    server.listen({ host: address, port, exclusive: true }, resolve);
  });
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${own}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const TEXT = 'text/plain; charset=utf-8';

async function answer({ method, url = '/' }: http.IncomingMessage, { metrics, health }: Pick<MetricsServerOptions, 'metrics' | 'health'>) {
  const path = url.split('?')[0];
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, type: TEXT, body: 'only GET\n' };
  if (path === '/metrics') return { status: 200, type: METRICS_CONTENT_TYPE, body: await metrics() };
  if (path !== '/healthz') return { status: 404, type: TEXT, body: 'there are /metrics and /healthz\n' };
  const { ok, parts } = await health();
  return { status: ok ? 200 : 503, type: 'application/json', body: `${JSON.stringify({ status: ok ? 'ok' : 'unwell', ...parts })}\n` };
}

function listenError(error: NodeJS.ErrnoException, address: string, port: number): Error {
  const because = { cause: error };
  if (error.code === 'EADDRINUSE')
    return new ValidationError(
      `Port ${port} on ${address} (CUTOVER_METRICS_PORT) is taken by another program, perhaps by another worker: give each a port of its own, or 0 for a free one`,
      { code: 'port_taken', ...because },
    );
  if (error.code === 'EACCES')
    return new ValidationError(`Port ${port} (CUTOVER_METRICS_PORT) may not be used by this user: choose one above 1023`, {
      code: 'port_taken',
      ...because,
    });
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return new ValidationError(`This machine has no address ${address} (CUTOVER_METRICS_ADDRESS)`, {
      code: 'address_unusable',
      ...because,
    });
  return error;
}
