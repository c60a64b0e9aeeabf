import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { ValidationError } from '../domain/errors.ts';

export interface Listening {
  url: string;
  /** Takes no more, and lets what is under way finish for `graceMs`. @returns how many requests had to be cut off */
  stop(graceMs: number): Promise<number>;
}

type Fetch = (request: Request, env: HttpBindings) => Response | Promise<Response>;

/** Longer than the 60 s for which load balancers keep their connections. */
const KEEP_ALIVE_MS = 65_000;
/** After the cut, requests have so long to clean up. */
const CLEAN_UP_MS = 5_000;

/** @throws ValidationError where that address cannot be listened on */
export async function listen(fetch: Fetch, { host, port }: { host: string; port: number }): Promise<Listening> {
  const underWay = new Set<Promise<unknown>>();
  let stopping = false;
  const server = createAdaptorServer({
    hostname: host,
    overrideGlobalObjects: false,
    fetch(request, env) {
      const answer = Promise.resolve(fetch(request, env as HttpBindings));
      const over = answer.catch(() => undefined).finally(() => underWay.delete(over));
      underWay.add(over);
      return answer;
    },
    // A large upload on a slow line takes as long as it takes; silence is watched for elsewhere.
    serverOptions: { requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS },
  }) as Server;
  let open = 0;
  server.on('request', (_, outgoing) => {
    open += 1;
    outgoing.once('close', () => {
      open -= 1;
      // A connection that is idle from now on.
      if (stopping) setImmediate(() => server.closeIdleConnections());
    });
  });
  // Who asks first is told by the handler to go on, or what is wrong before the body is sent.
  server.on('checkContinue', (incoming, outgoing) => server.emit('request', incoming, outgoing));
  server.listen(port, host);
  await once(server, 'listening').catch((error: unknown) => {
    throw listenError(error as NodeJS.ErrnoException, host, port);
  });
  const at = server.address() as AddressInfo;
  return {
    url: `http://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}`,
    async stop(graceMs) {
      stopping = true;
      const closed = once(server, 'close');
      server.close();
      const over = new AbortController();
      await Promise.race([closed, sleep(graceMs, undefined, { signal: over.signal }).catch(() => undefined)]);
      const cut = open;
      server.closeAllConnections();
      await closed;
      await Promise.race([Promise.all(underWay), sleep(CLEAN_UP_MS, undefined, { signal: over.signal }).catch(() => undefined)]);
      over.abort();
      return cut;
    },
  };
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): unknown {
  const refuse = (code: string, message: string) => new ValidationError(message, { code, cause: error });
  switch (error.code) {
    case 'EADDRINUSE':
      return refuse('port_taken', `Port ${port} of ${host} is taken by another program: set CUTOVER_API_PORT to a free one, or to 0`);
    case 'EACCES':
      return refuse('port_refused', `Port ${port} may not be listened on by this user: set CUTOVER_API_PORT to one above 1023`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return refuse('host_unknown', `${host} is no address of this machine: set CUTOVER_API_HOST to one that is, such as 127.0.0.1`);
    default:
      return error;
  }
}
