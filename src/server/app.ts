import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import { FileManagementError, messageOf, ProviderUnavailableError } from '../domain/errors.ts';
import { bearerCheck } from './bearer.ts';
import { beginExchange, ClientGone, type Exchange } from './exchange.ts';
import { type FilesOptions, fileRoutes } from './files.ts';
import { openApi } from './openapi.ts';
import type { Probes } from './probes.ts';
import { RequestRefused, refusalOf } from './refusals.ts';
import { operationIdOf } from './requests.ts';
import type { ApiContext, ApiEnv, Route } from './route.ts';

export interface ApiOptions extends FilesOptions {
  /** What callers must send. */
  token: string;
  version: string;
  probes: Pick<Probes, 'ledger' | 'temporal'>;
  log: Pick<Logger, 'debug' | 'info' | 'error'>;
  /** Whether the stack of an unexpected error is logged. */
  debug: boolean;
  /** From then on nothing new is begun. */
  isStopping: () => boolean;
  /** Routes of others: metrics. */
  more?: readonly Route[];
}

/** A client that went away, as nginx and others log it. */
const CLIENT_CLOSED_REQUEST = 499;

/** The HTTP API over a facade. Every path asks for the token but those that say that they are open. */
export function createApi(options: ApiOptions): Hono<ApiEnv> {
  const { log, isStopping } = options;
  const app = new Hono<ApiEnv>();
  const checkToken = bearerCheck(options.token);
  const routes: Route[] = [...fileRoutes(options), ...stateRoutes(options), ...(options.more ?? [])];
  const open = new Set(routes.flatMap((route) => (route.open ? [route.path] : [])));

  app.use(async (c, next) => {
    const started = performance.now();
    const exchange = beginExchange(c.env.outgoing);
    c.set('exchange', exchange);
    if (isStopping()) c.env.outgoing.setHeader('connection', 'close');
    await next();
    const { headersSent, statusCode } = c.env.outgoing;
    const isGone = exchange.signal.reason instanceof ClientGone && !(c.error instanceof FileManagementError);
    const status = isGone ? CLIENT_CLOSED_REQUEST : headersSent ? statusCode : c.res.status;
    const { operationId, route, tool } = exchange;
    const line = {
      operationId,
      method: c.req.method,
      route,
      ...(tool === null ? {} : { tool }),
      status,
      ms: Math.round(performance.now() - started),
    };
    // Also a download that broke when its 200 was out.
    const isOurs = status >= 500 || (c.error !== undefined && status < 400);
    const failure = c.error === undefined || isGone ? {} : failureOf(causeOf(c.error, exchange), isOurs, options.debug);
    log[isOurs ? 'error' : open.has(route ?? '') ? 'debug' : 'info']({ ...line, ...failure }, 'request');
  });
  app.use(async (c, next) => {
    if (!open.has(c.req.path)) {
      checkToken(c.req.header('authorization'));
      const exchange = c.get('exchange');
      exchange.operationId = operationIdOf(new URL(c.req.url).searchParams) ?? exchange.operationId;
      c.env.outgoing.setHeader('x-operation-id', exchange.operationId);
      if (isStopping())
        throw new ProviderUnavailableError('The server is stopping', { code: 'stopping', retryable: true, retryAfterMs: 1000 });
    }
    await next();
  });
  for (const { method, path, handle } of routes)
    app.on(method, path, (c) => {
      c.get('exchange').route = path;
      return handle(c);
    });
  for (const path of new Set(routes.map((route) => route.path))) {
    const allowed = routes.filter((route) => route.path === path).map(({ method }) => method);
    app.all(path, (c) => {
      c.get('exchange').route = path;
      c.header('allow', allowed.join(', '));
      throw new RequestRefused(405, 'method_not_allowed', `${path} takes ${allowed.join(', ')}`);
    });
  }
  app.notFound(() => {
    throw new RequestRefused(404, 'no_such_path', 'There is no such path: /openapi.json tells which there are');
  });
  app.onError((error, c) => {
    const { outgoing } = c.env;
    const exchange = c.get('exchange');
    if (outgoing.headersSent) {
      // The bytes that are missing must not look like the end.
      outgoing.destroy();
      return RESPONSE_ALREADY_SENT;
    }
    const { status, code, message, retryAfter } = refusalOf(causeOf(error, exchange), exchange.operationId);
    if (retryAfter !== null) c.header('retry-after', String(retryAfter));
    if (status === 401) c.header('www-authenticate', 'Bearer realm="cutover"');
    return c.json({ code, message }, status as ContentfulStatusCode);
  });
  return app;
}

/** Where we have cut the request off, that is why it failed, whatever broke then. */
const causeOf = (error: Error, { signal }: Exchange): Error => (signal.reason instanceof FileManagementError ? signal.reason : error);

/** What the log says of a failure: of our own mistakes and of those behind us the message, of the caller's the code alone, for it may name a file. */
function failureOf(error: Error, isOurs: boolean, debug: boolean): object {
  const code = error instanceof FileManagementError ? error.code : 'unexpected';
  if (!isOurs) return { code };
  return { code, error: messageOf(error), ...(debug ? { stack: error.stack } : {}) };
}

/** How the server is, and what it offers. */
function stateRoutes({ probes, version, isStopping }: ApiOptions): Route[] {
  const document = openApi(version);
  async function readiness(c: ApiContext): Promise<Response> {
    const [ledger, temporal] = await Promise.all([probes.ledger(), probes.temporal()]);
    const ready = ledger && !isStopping();
    const said = (answers: boolean) => (answers ? 'ok' : 'unreachable');
    return c.json({ ready, ledger: said(ledger), temporal: said(temporal) }, ready ? 200 : 503);
  }
  return [
    { method: 'GET', path: '/healthz', open: true, handle: (c) => c.json({ status: 'ok' }) },
    { method: 'GET', path: '/readyz', open: true, handle: readiness },
    { method: 'GET', path: '/openapi.json', open: true, handle: (c) => c.json(document) },
  ];
}
