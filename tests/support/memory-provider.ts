import { createHash } from 'node:crypto';
import { refusalOf, storageCapabilities } from '../../src/domain/capabilities.ts';
import { FileNotFoundError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import { objectKey } from '../../src/domain/object-key.ts';
import { type Provider, type StoredObject, storedObjectOf } from '../../src/providers/provider.ts';

interface Held {
  bytes: Buffer;
  mimeType: string;
  createdAt: string;
}

/** A provider in memory that keeps every promise of the port, and shows and breaks what a test wants to see and break. */
export interface MemoryProvider extends Provider {
  readonly objects: Map<string, Held>;
  /** How many uploads were begun, and how many bytes of bodies were read for them. */
  readonly counts: { uploads: number; bytesRead: number };
  /** The next call of this method throws `error`. */
  failNext(method: 'check' | 'upload' | 'download' | 'info' | 'delete' | 'copy' | 'list', error: Error): void;
  /** Until the returned function is called, uploads read their body and then wait. */
  holdUploads(): () => void;
}

export interface MemoryProviderOptions {
  name?: string;
  account?: string;
  maxFileBytes?: number;
  /** Objects in a page of `list`. */
  pageSize?: number;
}

export function createMemoryProvider(options: MemoryProviderOptions = {}): MemoryProvider {
  const { name = 'memory', account = 'memory/test', maxFileBytes = 512 * 1024 * 1024, pageSize = 100 } = options;
  const objects = new Map<string, Held>();
  const counts = { uploads: 0, bytesRead: 0 };
  const failures = new Map<string, Error[]>();
  let gate: Promise<void> = Promise.resolve();

  const begin = (method: string, signal: AbortSignal) => {
    signal.throwIfAborted();
    const error = failures.get(method)?.shift();
    if (error !== undefined) throw error;
  };
  const idOf = (sha256: string, namespace: 'live' | 'shadow') => `memory/${objectKey(sha256, namespace)}`;
  const stored = (id: string, { bytes, mimeType, createdAt }: Held): StoredObject =>
    storedObjectOf({ id, sizeBytes: bytes.length, mimeType, createdAt, name: id.split('/').at(-1) ?? null });
  const capabilities = storageCapabilities(maxFileBytes);
  const valid = (id: string) => {
    if (!/^[^/]+(\/[^/]+)+$/.test(id) || /(^|\/)\.\.?(\/|$)/.test(id))
      throw new ValidationError(`${JSON.stringify(id)} is no id of a file in memory`, { code: 'invalid_id', provider: name });
  };

  return {
    name,
    account,
    capabilities,
    objects,
    counts,
    failNext: (method, error) => failures.set(method, [...(failures.get(method) ?? []), error]),
    holdUploads() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    idOf,

    async check(signal) {
      begin('check', signal);
    },

    async upload({ body, sha256, mimeType, namespace, name: fileName, purpose, signal, onProgress }) {
      begin('upload', signal);
      const refusal = refusalOf(name, capabilities, purpose, { name: fileName, sizeBytes: body.sizeBytes });
      if (refusal !== null) throw refusal;
      counts.uploads += 1;
      const chunks: Uint8Array[] = [];
      for await (const chunk of body.open(0, signal)) {
        signal.throwIfAborted();
        counts.bytesRead += chunk.byteLength;
        chunks.push(Buffer.from(chunk));
      }
      const bytes = Buffer.concat(chunks);
      if (bytes.length !== body.sizeBytes || createHash('sha256').update(bytes).digest('hex') !== sha256)
        throw new UploadError('The file changed since it was hashed', { code: 'file_changed', provider: name });
      await aborting(gate, signal);
      const id = idOf(sha256, namespace);
      const held = { bytes, mimeType, createdAt: new Date().toISOString() };
      objects.set(id, held);
      onProgress?.(bytes.length);
      return stored(id, held);
    },

    async download(id, { signal, range }) {
      begin('download', signal);
      valid(id);
      const held = objects.get(id);
      if (held === undefined) throw new FileNotFoundError(`There is no ${id} in ${name}`, { code: 'not_found', provider: name });
      if (range !== undefined && (range.first < 0 || range.last < range.first || range.first >= held.bytes.length))
        throw new ValidationError('There is no such range', { code: 'range_not_satisfiable', provider: name });
      const bytes = range === undefined ? held.bytes : held.bytes.subarray(range.first, range.last + 1);
      return { sizeBytes: bytes.length, mimeType: held.mimeType, chunks: chunksOf(bytes, signal) };
    },

    async info(id, signal) {
      begin('info', signal);
      valid(id);
      const held = objects.get(id);
      return held === undefined ? null : stored(id, held);
    },

    async find({ sha256, namespace, sizeBytes }, signal) {
      begin('info', signal);
      const held = objects.get(idOf(sha256, namespace));
      return held?.bytes.length === sizeBytes ? stored(idOf(sha256, namespace), held) : null;
    },

    async delete(id, signal) {
      begin('delete', signal);
      valid(id);
      return objects.delete(id);
    },

    async copy({ id }, key, signal) {
      begin('copy', signal);
      const held = objects.get(id);
      const to = `memory/${key}`;
      if (held !== undefined) objects.set(to, { ...held });
      return held === undefined ? null : to;
    },

    async *list({ under = 'memory/', after = null, signal }) {
      begin('list', signal);
      const ids = [...objects.keys()].filter((id) => id.startsWith(under) && id > (after ?? '')).sort();
      for (let first = 0; first < ids.length; first += pageSize) {
        signal.throwIfAborted();
        const page = ids.slice(first, first + pageSize);
        const next = first + pageSize < ids.length ? (page.at(-1) ?? null) : null;
        yield { objects: page.map((id) => stored(id, objects.get(id) as Held)), next };
      }
    },
  };
}

async function* chunksOf(bytes: Buffer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let first = 0; first < bytes.length; first += 65_536) {
    signal.throwIfAborted();
    yield bytes.subarray(first, first + 65_536);
  }
}

async function aborting(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
