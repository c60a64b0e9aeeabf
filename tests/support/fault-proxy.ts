import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** What goes wrong with one exchange. Bytes count the body alone. */
export type Fault =
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: unknown }
  /** The connection is reset after so many bytes of the request's body. */
  | { kind: 'reset-request'; afterBytes: number }
  /** The connection is reset after so many bytes of the answer's body. */
  | { kind: 'reset-answer'; afterBytes: number }
  /** The server does its work; nobody hears of it. */
  | { kind: 'drop-answer' }
  /** The connection breaks, and the server gets the request only when the next one of its kind comes, just before it. */
  | { kind: 'commit-with-next' }
  /** The request is read, and never answered. */
  | { kind: 'hang' }
  /** The request's body is not read any more after so many bytes. */
  | { kind: 'stall-request'; afterBytes: number }
  /** The answer's body stops after so many bytes, with the connection open. */
  | { kind: 'stall-answer'; afterBytes: number }
  /** The answer's body comes in single bytes. */
  | { kind: 'trickle-answer'; everyMs: number }
  /** The answer's content-length says so many bytes more than come; then the connection closes. */
  | { kind: 'promise-more'; bytes: number }
  /** The server behind stores so many bytes less than were sent, and says that all is well. */
  | { kind: 'store-less'; bytes: number }
  /** The server gets the request only after so long. */
  | { kind: 'delay'; ms: number };

export interface RequestLine {
  method: string;
  path: string;
  headers: http.IncomingHttpHeaders;
}

export interface SeenRequest extends RequestLine {
  bodyBytes: number;
  /** When the client's connection closed before its answer was complete, in ms since the epoch. */
  abandonedAt: number | null;
}

export interface FaultProxy {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** The next requests whose method and path match get these faults, one each; then all is well again. */
  inject(match: (request: RequestLine) => boolean, ...faults: Fault[]): void;
  /** Every request that matches gets this fault, until the function that comes back is called. */
  always(match: (request: RequestLine) => boolean, fault: Fault): () => void;
  /** Forgets faults that were not used, and what was seen. */
  reset(): void;
  close(): Promise<void>;
}

/** An HTTP proxy in front of a real server that misbehaves on demand. `keepHost`: for requests whose host is signed. */
export async function startFaultProxy(target: string, { keepHost = false } = {}): Promise<FaultProxy> {
  const upstream = new URL(target);
  /** Requests that the server is yet to get. */
  const held: { match: (request: RequestLine) => boolean; send: () => Promise<void> }[] = [];
  const plans: { match: (request: RequestLine) => boolean; faults: Fault[] }[] = [];
  const lasting = new Set<{ match: (request: RequestLine) => boolean; fault: Fault }>();
  const seen: SeenRequest[] = [];
  const agent = new http.Agent({ keepAlive: true });

  const server = http.createServer((request, response) => {
    const method = request.method ?? '';
    const path = request.url ?? '';
    const record: SeenRequest = { method, path, headers: request.headers, bodyBytes: 0, abandonedAt: null };
    seen.push(record);
    response.on('close', () => {
      if (!response.writableFinished) record.abandonedAt = Date.now();
    });
    const line = { method, path, headers: request.headers };
    const plan = plans.find(({ faults, match }) => faults.length > 0 && match(line));
    const fault = plan?.faults.shift() ?? [...lasting].find(({ match }) => match(line))?.fault;
    if (plan !== undefined && fault?.kind === 'commit-with-next') void hold(request, record, plan.match);
    else handle(request, response, record, fault).catch(() => request.socket.destroy());
  });

  async function hold(request: http.IncomingMessage, record: SeenRequest, match: (request: RequestLine) => boolean) {
    const chunks: Buffer[] = [];
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      record.bodyBytes += chunk.length;
    }
    held.push({ match, send: () => replay(request, Buffer.concat(chunks)) });
    reset(request.socket);
  }
  function replay({ method, url, headers }: http.IncomingMessage, body: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = http.request({ host: upstream.hostname, port: upstream.port, method, path: url, headers: hostOf(headers), agent });
      late.on('error', reject).on('response', (answer) => answer.resume().on('end', resolve).on('error', reject));
      late.end(body);
    });
  }
  const hostOf = (headers: http.IncomingHttpHeaders) => (keepHost ? { ...headers } : { ...headers, host: upstream.host });

  async function handle(request: http.IncomingMessage, response: http.ServerResponse, record: SeenRequest, fault: Fault | undefined) {
    if (fault?.kind === 'hang' || fault?.kind === 'answer') {
      for await (const chunk of request) record.bodyBytes += chunk.length;
      if (fault.kind === 'hang') return;
      const body = fault.body === undefined ? '' : JSON.stringify(fault.body);
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers }).end(body);
      return;
    }
    if (fault?.kind === 'delay') await sleep(fault.ms);
    const isNext = ({ match }: (typeof held)[number]) =>
      match({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
    for (const late of held.filter(isNext)) {
      held.splice(held.indexOf(late), 1);
      await late.send();
    }
    const headers = hostOf(request.headers);
    const less = fault?.kind === 'store-less' ? fault.bytes : 0;
    if (less > 0) headers['content-length'] = String(Number(headers['content-length']) - less);
    const forwarded = http.request({
      host: upstream.hostname,
      port: upstream.port,
      method: request.method,
      path: request.url,
      headers,
      agent,
    });
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => forwarded.on('response', resolve).on('error', reject));
    answered.catch(() => {});
    response.on('close', () => {
      if (!response.writableFinished && fault?.kind !== 'drop-answer') forwarded.destroy();
    });
    let left = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) - less;
    // Not destroyed on return: a stalled request stays open.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      record.bodyBytes += chunk.length;
      const piece = chunk.subarray(0, Math.max(0, left));
      left -= piece.length;
      if (piece.length > 0 && !forwarded.write(piece)) await drained(forwarded);
      if (fault?.kind === 'reset-request' && record.bodyBytes >= fault.afterBytes) {
        forwarded.destroy();
        return reset(request.socket);
      }
      if (fault?.kind === 'stall-request' && record.bodyBytes >= fault.afterBytes) {
        forwarded.destroy();
        return;
      }
    }
    forwarded.end();
    const answer = await answered;
    if (fault?.kind === 'drop-answer') {
      for await (const _ of answer);
      return reset(request.socket);
    }
    const answerHeaders = { ...answer.headers };
    if (fault?.kind === 'promise-more') answerHeaders['content-length'] = String(Number(answerHeaders['content-length']) + fault.bytes);
    response.writeHead(answer.statusCode ?? 502, answerHeaders);
    response.flushHeaders();
    let sent = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const limit = fault?.kind === 'reset-answer' || fault?.kind === 'stall-answer' ? fault.afterBytes - sent : chunk.length;
      const piece = chunk.subarray(0, limit);
      if (fault?.kind === 'trickle-answer') {
        for (const byte of piece) {
          if (response.destroyed) return;
          response.write(Buffer.of(byte));
          await sleep(fault.everyMs);
        }
      } else if (!response.write(piece)) await drained(response);
      if (response.destroyed) return;
      sent += piece.length;
      if (limit > chunk.length || fault === undefined || piece.length === chunk.length) continue;
      answer.destroy();
      // What was written must leave before the reset, or the client sees less than was meant.
      await sleep(20);
      return fault.kind === 'reset-answer' ? reset(request.socket) : undefined;
    }
    if (fault?.kind === 'promise-more') {
      await sleep(20);
      request.socket.destroy();
    } else response.end();
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    inject: (match, ...faults) => plans.push({ match, faults }),
    always(match, fault) {
      const rule = { match, fault };
      lasting.add(rule);
      return () => void lasting.delete(rule);
    },
    reset() {
      lasting.clear();
      plans.length = 0;
      held.length = 0;
      seen.length = 0;
    },
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Resolves when the stream takes more, or is closed. */
function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

function reset(socket: Socket): void {
  socket.resetAndDestroy();
}
