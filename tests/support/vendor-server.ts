import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { collected, readForm } from './form-reader.ts';

/** Bytes that a test server took, in a file of its own. */
export interface Spooled {
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  path: string;
}

export interface Form {
  fields: Record<string, string>;
  file: (Spooled & { field: string; filename: string; mimeType: string | null }) | null;
}

export interface Exchange {
  method: string;
  /** With the query. */
  url: URL;
  headers: http.IncomingHttpHeaders;
  /** The body, by one of these three: one that breaks off makes them throw, and the connection is closed without an answer. */
  bytes(): Promise<Spooled>;
  json(): Promise<Record<string, unknown>>;
  form(): Promise<Form>;
}

/** `body` is sent as JSON, a `file` as its bytes. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  file?: { path: string; sizeBytes: number };
}

export interface VendorServer {
  readonly url: string;
  close(): Promise<void>;
}

/** An answer to be thrown from anywhere in a handler. */
export class Refusal extends Error {
  readonly answer: Answer;
  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(`refused with ${status}`);
    this.answer = { status, body, headers };
  }
}

export const freshId = (prefix: string) => `${prefix}${randomBytes(12).toString('hex')}`;
export const nowSeconds = () => Math.floor(Date.now() / 1000);

/** A vendor's API on the loopback: `handle` is the vendor, this the HTTP and the bytes. */
export async function startVendorServer(handle: (exchange: Exchange) => Promise<Answer> | Answer): Promise<VendorServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cutover-vendor-'));
  async function spool(chunks: AsyncIterable<Buffer>): Promise<Spooled> {
    const path = join(folder, freshId(''));
    const hash = createHash('sha256');
    let sizeBytes = 0;
    async function* watched() {
      for await (const chunk of chunks) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    }
    await pipeline(watched, createWriteStream(path));
    return { sizeBytes, sha256: hash.digest('hex'), path };
  }
  async function formOf(request: http.IncomingMessage): Promise<Form> {
    const form: Form = { fields: {}, file: null };
    for await (const { name, filename, mimeType, chunks } of readForm(request.headers['content-type'] ?? '', request)) {
      if (filename === null) form.fields[name] = (await collected(chunks)).toString();
      else form.file = { ...(await spool(chunks)), field: name, filename, mimeType };
    }
    return form;
  }
  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const exchange: Exchange = {
      method: request.method ?? '',
      url: new URL(request.url ?? '/', 'http://vendor'),
      headers: request.headers,
      bytes: () => spool(request),
      json: async () => JSON.parse((await collected(request)).toString() || '{}'),
      form: () => formOf(request),
    };
    const {
      status = 200,
      headers = {},
      body,
      file,
    } = await Promise.resolve(handle(exchange)).catch((error) => {
      if (error instanceof Refusal) return error.answer;
      throw error;
    });
    // What nobody read is read away first: an answer in the middle of a request stops node:http's own client, and with it a proxy.
    if (!request.readableEnded && !request.destroyed) for await (const _ of request);
    if (file !== undefined) {
      response.writeHead(status, { 'content-type': 'application/octet-stream', 'content-length': file.sizeBytes, ...headers });
      return pipeline(createReadStream(file.path), response);
    }
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body === undefined ? '' : JSON.stringify(body));
  }
  const server = http.createServer((request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
