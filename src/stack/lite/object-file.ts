import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

/** What is kept of an object beside its bytes. */
export const ObjectMetadata = z.object({
  bucket: z.string(),
  key: z.string(),
  mimetype: z.string(),
  cacheControl: z.string(),
  size: z.number(),
  eTag: z.string(),
  lastModified: z.string(),
});
export type ObjectMetadata = z.infer<typeof ObjectMetadata>;

/**
 * An object is one file: its bytes, then its metadata as JSON, then the length of that JSON in four bytes. So one rename
 * publishes both, and no crash can leave the one without the other.
 */
const TRAILER_LENGTH_BYTES = 4;

/**
 * Writes an object: synced to disk before it appears under its name, and nothing stays when it fails.
 * @param maxBytes throws TooLarge beyond it
 */
export async function writeObject(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  about: Pick<ObjectMetadata, 'bucket' | 'key' | 'mimetype' | 'cacheControl'>,
  expected: { sizeBytes: number | null; maxBytes: number },
): Promise<ObjectMetadata> {
  const folder = dirname(path);
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncFolder(dirname(made));
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    const md5 = createHash('md5');
    let size = 0;
    for await (const chunk of chunks) {
      size += chunk.byteLength;
      if (size > expected.maxBytes) throw new TooLarge();
      md5.update(chunk);
      await file.writeFile(chunk);
    }
    if (expected.sizeBytes !== null && expected.sizeBytes !== size)
      throw new Incomplete(`${size} of ${expected.sizeBytes} announced bytes arrived`);
    const metadata = { ...about, size, eTag: `"${md5.digest('hex')}"`, lastModified: new Date().toISOString() };
    await file.writeFile(trailer(metadata));
    await file.sync();
    await file.close();
    await rename(temporary, path);
    await syncFolder(folder);
    return metadata;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Opens an object. The caller closes the file. Rejects with ENOENT when there is none. */
export async function openObject(path: string): Promise<{ file: FileHandle; metadata: ObjectMetadata }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = await readAt(file, size - TRAILER_LENGTH_BYTES, TRAILER_LENGTH_BYTES);
    const jsonBytes = length.readUInt32BE();
    const json = await readAt(file, size - TRAILER_LENGTH_BYTES - jsonBytes, jsonBytes);
    return { file, metadata: ObjectMetadata.parse(JSON.parse(json.toString())) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Removes what uploads left that a crash interrupted. To be called while nothing is uploaded. @returns how many */
export async function removeLeftovers(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const left = names.filter((name) => name.endsWith('.tmp'));
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
  return left.length;
}

export class TooLarge extends Error {}
/** The connection ended before all announced bytes came. */
export class Incomplete extends Error {}

function trailer(metadata: ObjectMetadata): Buffer {
  const json = Buffer.from(JSON.stringify(metadata));
  const length = Buffer.alloc(TRAILER_LENGTH_BYTES);
  length.writeUInt32BE(json.length);
  return Buffer.concat([json, length]);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new Error('the object file is truncated');
  return buffer;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
