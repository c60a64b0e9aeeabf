import { pipeline } from 'node:stream/promises';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { FileNotFoundError } from '../domain/errors.ts';
import type { Caller } from '../facade/context.ts';
import type { Facade } from '../facade/facade.ts';
import { wireFile, wireUploaded } from './answers.ts';
import { bodyOf, readBy } from './body.ts';
import { tooSlow } from './exchange.ts';
import { announcedBy, askerOf, pageOf } from './requests.ts';
import type { ApiContext, Route } from './route.ts';

export interface FilesOptions {
  facade: Facade;
  /** The names of the tools that there are. */
  tools: readonly string[];
  maxFileBytes: number;
  /** After so long without a byte, a client that sends or reads one is cut off. */
  idleMs: number;
}

/** The facade's five operations, by the contract of `facade/legacy-http.ts`. */
export function fileRoutes({ facade, tools, maxFileBytes, idleMs }: FilesOptions): Route[] {
  const queryOf = (c: ApiContext) => new URL(c.req.url).searchParams;
  function callerOf(c: ApiContext): Caller {
    const exchange = c.get('exchange');
    const asker = askerOf(queryOf(c), tools);
    exchange.tool = asker.tool;
    return { ...asker, operationId: exchange.operationId, signal: exchange.signal };
  }
  const idOf = (c: ApiContext): string => c.req.param('id') ?? '';
  async function infoOf(c: ApiContext) {
    const file = await facade.info(idOf(c), callerOf(c));
    if (file === null) throw notFound(idOf(c));
    return file;
  }

  async function upload(c: ApiContext): Promise<Response> {
    const { incoming, outgoing } = c.env;
    const caller = callerOf(c);
    const { name, purpose, mimeType } = announcedBy(queryOf(c), incoming.headers, maxFileBytes);
    const stream = bodyOf(incoming, outgoing, { idleMs, onIdle: () => c.get('exchange').abort(tooSlow(idleMs)) });
    const file = await facade.upload({ stream, name, ...(mimeType === null ? {} : { mimeType }) }, { ...caller, purpose });
    return c.json(wireUploaded(file), 201);
  }

  async function content(c: ApiContext): Promise<Response> {
    const { outgoing } = c.env;
    const { signal, abort } = c.get('exchange');
    const isHead = c.req.method === 'HEAD';
    const { sizeBytes, mimeType, chunks } = isHead ? { ...(await infoOf(c)), chunks: [] } : await facade.download(idOf(c), callerOf(c));
    outgoing.writeHead(200, {
      'content-type': mimeType ?? 'application/octet-stream',
      'content-length': sizeBytes,
      'accept-ranges': 'none',
      // What users have uploaded is for nobody to guess at.
      'x-content-type-options': 'nosniff',
    });
    await pipeline(readBy(chunks, { idleMs, onIdle: () => abort(tooSlow(idleMs)) }), outgoing, { signal });
    return RESPONSE_ALREADY_SENT;
  }

  return [
    { method: 'POST', path: '/files', handle: upload },
    {
      method: 'GET',
      path: '/files',
      async handle(c) {
        const { files, next } = await facade.list(pageOf(queryOf(c)), callerOf(c));
        return c.json({ files: files.map(wireFile), next });
      },
    },
    { method: 'GET', path: '/files/:id', handle: async (c) => c.json(wireFile(await infoOf(c))) },
    { method: 'GET', path: '/files/:id/content', handle: content },
    {
      method: 'DELETE',
      path: '/files/:id',
      async handle(c) {
        if (!(await facade.delete(idOf(c), callerOf(c)))) throw notFound(idOf(c));
        return c.body(null, 204);
      },
    },
  ];
}

const notFound = (id: string) => new FileNotFoundError(`There is no file ${id}`, { code: 'not_found' });
