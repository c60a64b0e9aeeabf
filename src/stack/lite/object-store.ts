import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isDiskFull } from '../disk.ts';
import { parseRange } from './byte-range.ts';
import { Incomplete, type ObjectMetadata, openObject, TooLarge, writeObject } from './object-file.ts';
import { note, type StorageRequest, storageRequest } from './request-context.ts';

const READ_BYTES = 256 * 1024;
const WHOLE: Pick<StorageRequest, 'range' | 'ifNoneMatch' | 'headOnly' | 'contentLength' | 'limit'> = {
  range: null,
  ifNoneMatch: null,
  headOnly: false,
  contentLength: null,
  limit: Number.POSITIVE_INFINITY,
};

type Body = ReadableStream<Uint8Array> | Uint8Array | Blob;

/**
 * Where Lite keeps the bytes of its Storage API (its StorageAdapter). Replaces the filesystem adapter of 0.10.0, which holds whole
 * uploads in memory, is not atomic, does not sync, serves no ranges and uses the caller's names as paths.
 */
export class ObjectStore {
  readonly driver = null;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async uploadObject(bucket: string, key: string, _version: unknown, body: Body, mimetype: string, cacheControl: string) {
    const request = storageRequest.getStore() ?? WHOLE;
    const chunks = body instanceof Uint8Array ? Readable.from([body]) : body instanceof Blob ? body.stream() : body;
    return describe(
      await this.#write(bucket, key, { mimetype, cacheControl }, chunks as AsyncIterable<Uint8Array>, {
        sizeBytes: request.contentLength,
        maxBytes: request.limit,
      }),
    );
  }

  async getObject(bucket: string, key: string) {
    const request = storageRequest.getStore() ?? WHOLE;
    const { file, metadata } = await this.#open(bucket, key);
    const about = describe(metadata);
    const only = async (status: number) => {
      await file.close();
      return { httpStatusCode: status, metadata: about, body: Buffer.alloc(0) };
    };
    if (request.ifNoneMatch === metadata.eTag) {
      note({ kind: 'not_modified' });
      return only(304);
    }
    const range = parseRange(request.range, metadata.size);
    if (range === 'unsatisfiable') {
      note({ kind: 'range_not_satisfiable', sizeBytes: metadata.size });
      return only(416);
    }
    if (range !== null) {
      note({ kind: 'partial' });
      about.contentLength = range.last - range.first + 1;
      about.contentRange = `bytes ${range.first}-${range.last}/${metadata.size}`;
    }
    if (request.headOnly || metadata.size === 0) return only(200);
    const { first, last } = range ?? { first: 0, last: metadata.size - 1 };
    const stream = file.createReadStream({ start: first, end: last, highWaterMark: READ_BYTES });
    return { httpStatusCode: range === null ? 200 : 206, metadata: about, body: Readable.toWeb(stream) };
  }

  async headObject(bucket: string, key: string) {
    const { file, metadata } = await this.#open(bucket, key);
    await file.close();
    return describe(metadata);
  }

  async deleteObject(bucket: string, key: string): Promise<void> {
    await rm(this.#path(bucket, key), { force: true });
  }

  async deleteObjects(bucket: string, keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.deleteObject(bucket, key);
  }

  async copyObject(bucket: string, key: string, _version: unknown, toBucket: string, toKey: string) {
    const { file, metadata } = await this.#open(bucket, key);
    const bytes = metadata.size === 0 ? Readable.from([]) : file.createReadStream({ start: 0, end: metadata.size - 1, autoClose: false });
    try {
      const copy = await this.#write(toBucket, toKey, metadata, bytes, { sizeBytes: metadata.size, maxBytes: Number.POSITIVE_INFINITY });
      return { httpStatusCode: 200, eTag: copy.eTag, lastModified: new Date(copy.lastModified) };
    } finally {
      await file.close();
    }
  }

  async privateAssetUrl(bucket: string, key: string): Promise<string> {
    return `file://${this.#path(bucket, key)}`;
  }

  async #open(bucket: string, key: string) {
    try {
      return await openObject(this.#path(bucket, key));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') note({ kind: 'missing' });
      throw error;
    }
  }

  async #write(
    bucket: string,
    key: string,
    { mimetype, cacheControl }: Pick<ObjectMetadata, 'mimetype' | 'cacheControl'>,
    chunks: AsyncIterable<Uint8Array>,
    expected: { sizeBytes: number | null; maxBytes: number },
  ): Promise<ObjectMetadata> {
    try {
      return await writeObject(this.#path(bucket, key), chunks, { bucket, key, mimetype, cacheControl }, expected);
    } catch (error) {
      if (error instanceof TooLarge) note({ kind: 'too_large' });
      else if (error instanceof Incomplete) note({ kind: 'incomplete', message: error.message });
      else if (isDiskFull(error)) note({ kind: 'disk_full', message: `no space left in ${this.#folder}` });
      throw error;
    }
  }

  /** Hashed: no name can leave the folder, be too long for the file system, or be a file and a folder at once. */
  #path(bucket: string, key: string): string {
    const hash = createHash('sha256').update(`${bucket}\0${key}`).digest('hex');
    return join(this.#folder, hash.slice(0, 2), hash);
  }
}

function describe(metadata: ObjectMetadata) {
  const { cacheControl, size, mimetype, eTag, lastModified } = metadata;
  const about: {
    cacheControl: string;
    contentLength: number;
    contentRange?: string;
    size: number;
    mimetype: string;
    lastModified: Date;
    eTag: string;
  } = { cacheControl, contentLength: size, size, mimetype, lastModified: new Date(lastModified), eTag };
  return about;
}
