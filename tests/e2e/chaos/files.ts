import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Path below the source → SHA-256 of what was written there, known before anything moves. */
export type Expected = Map<string, string>;

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

const KIB = 1024;
const MIB = 1024 * KIB;

/** Writes one file and remembers what it holds. */
export function put(expected: Expected, folder: string, path: string, content: string | Uint8Array): void {
  const absolute = join(folder, path);
  mkdirSync(dirname(absolute), { recursive: true });
  writeFileSync(absolute, content);
  expected.set(path, sha256(content));
}

/**
 * Many files of every size that takes another way through the product: most are small, some go by activities of their own, a few
 * are large enough to be caught half sent; every 25th has the content of the one before it.
 */
export function putMany(folder: string, count: number): Expected {
  const expected: Expected = new Map();
  let before: Uint8Array = new Uint8Array();
  for (let index = 0; index < count; index += 1) {
    const size = index % 50 === 49 ? 12 * MIB : index % 12 === 11 ? 2 * MIB : KIB + (index % 64) * KIB;
    const content = index % 25 === 24 ? before : randomBytes(size);
    put(expected, folder, `part ${index % 7}/${String(index).padStart(4, '0')}.bin`, content);
    before = content;
  }
  return expected;
}

/** A large file that cannot be compressed or confused, without holding it in memory. */
export async function putLarge(expected: Expected, folder: string, path: string, sizeBytes: number): Promise<void> {
  const handle = await open(join(folder, path), 'wx');
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(4 * MIB);
  const hash = createHash('sha256');
  try {
    for (let left = sizeBytes; left > 0; ) {
      const chunk = cipher.update(zeros.subarray(0, Math.min(left, zeros.length)));
      hash.update(chunk);
      await handle.writeFile(chunk);
      left -= chunk.length;
    }
  } finally {
    await handle.close();
  }
  expected.set(path, hash.digest('hex'));
}
