import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStore } from '@tus/file-store';
import { MemoryLocker, Server } from '@tus/server';
import { request as send } from 'undici';

const PATH = '/storage/v1/upload/resumable';

export interface TusGateway {
  readonly url: string;
  /** Length of every part that was sent, in order. */
  readonly parts: number[];
  readonly created: number;
  readonly terminated: number;
  /** Forgets all unfinished uploads, as when they expire. */
  expireAll(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Supabase Storage with resumable uploads: the independent @tus/server, mounted as Supabase mounts it (metadata, authorization,
 * ids in base64url, an object when the upload is complete), and everything else passed to the storage behind.
 */
export async function startTusGateway(target: string, secretKey: string): Promise<TusGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'cutover-tus-'));
  const parts: number[] = [];
  const live = new Set<string>();
  let created = 0;
  let terminated = 0;
  const store = new FileStore({ directory });
  const tus = new Server({
    path: PATH,
    datastore: store,
    locker: new MemoryLocker({ acquireLockTimeout: 200 }),
    respectForwardedHeaders: true,
    async onIncomingRequest(request) {
      const { method, headers } = request;
      if (method !== 'OPTIONS' && method !== 'HEAD' && headers.get('authorization') !== `Bearer ${secretKey}`)
        throw { status_code: 403, body: 'Invalid Compact JWS' };
    },
    async onUploadCreate(_request, upload) {
      if (!upload.metadata?.bucketName || !upload.metadata.objectName) throw { status_code: 400, body: 'Metadata header is required' };
      const bucket = await send(`${target}/storage/v1/bucket/${upload.metadata.bucketName}`, { headers: keys(secretKey) });
      await bucket.body.dump();
      if (bucket.statusCode !== 200) throw { status_code: 404, body: 'Bucket not found' };
      created += 1;
      live.add(upload.id);
      return {};
    },
    async onUploadFinish(request, upload) {
      const { bucketName, objectName, contentType } = upload.metadata ?? {};
      const stored = await send(`${target}/storage/v1/object/${bucketName}/${objectName}`, {
        method: 'POST',
        headers: {
          ...keys(secretKey),
          'content-length': String(upload.size),
          'content-type': contentType ?? 'application/octet-stream',
          'x-upsert': request.headers.get('x-upsert') ?? 'false',
        },
        body: createReadStream(join(directory, upload.id)),
      });
      const text = await stored.body.text();
      if (stored.statusCode !== 200) throw { status_code: stored.statusCode, body: text };
      live.delete(upload.id);
      return { headers: { 'Tus-Complete': '1' } };
    },
  });
  tus.on('POST_TERMINATE', () => {
    terminated += 1;
  });

  const upstream = new URL(target);
  const server = http.createServer((request, response) => {
    if (request.url?.startsWith(PATH)) {
      if (request.method === 'PATCH') parts.push(Number(request.headers['content-length']));
      void tus.handle(request, response);
      return;
    }
    const forwarded = http.request(
      {
        host: upstream.hostname,
        port: upstream.port,
        method: request.method,
        path: request.url,
        headers: { ...request.headers, host: upstream.host },
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    forwarded.on('error', () => request.socket.destroy());
    request.on('close', () => {
      if (!request.complete) forwarded.destroy();
    });
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    parts,
    get created() {
      return created;
    },
    get terminated() {
      return terminated;
    },
    async expireAll() {
      for (const id of live) await store.remove(id);
      live.clear();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const keys = (secretKey: string) => ({ apikey: secretKey, authorization: `Bearer ${secretKey}` });
