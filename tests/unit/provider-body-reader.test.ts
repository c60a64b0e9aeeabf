import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readBody } from '../../src/providers/body-reader.ts';

const signal = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const bytes = fc.uint8Array({ maxLength: 300 });
const lengths = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 40 });

/** A body of these bytes that comes in chunks of these lengths, over and over, empty ones too. */
function body(content: Uint8Array, chunks: readonly number[], sizeBytes = content.length) {
  return {
    sizeBytes,
    async *open(offset: number) {
      let first = offset;
      for (let turn = 0; first < content.length; turn++) {
        // A round of nothing but empty chunks would never end.
        const length = turn % (chunks.length + 1) === chunks.length ? 1 : (chunks[turn % chunks.length] as number);
        yield content.subarray(first, first + length);
        first += length;
      }
    },
  };
}
async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

test('a body is read whole and accepted, whatever its chunks and the parts it is asked for in', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, lengths, fc.integer({ min: 1, max: 100 }), async (content, chunks, part) => {
      const reader = readBody(body(content, chunks), sha256(content), signal);
      const parts: Buffer[] = [];
      do parts.push(await collect(reader.read(part)));
      while (reader.mark().position < content.length);
      expect(parts.slice(0, -1).every(({ length }) => length === part)).toBe(true);
      expect(Buffer.concat(parts).equals(content)).toBe(true);
    }),
  );
});

test('going on from a mark, past what the server has, gives the rest and checks the whole', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, lengths, fc.nat(), fc.nat(), async (content, chunks, a, b) => {
      const [marked = 0, resumed = 0] = [a % (content.length + 1), b % (content.length + 1)].sort((x, y) => x - y);
      const first = readBody(body(content, chunks), sha256(content), signal);
      await first.skipTo(marked);
      const second = readBody(body(content, chunks), sha256(content), signal, first.mark());
      await second.skipTo(resumed);
      expect((await collect(second.read(content.length))).equals(content.subarray(resumed))).toBe(true);
    }),
  );
});

test('a body that is not the expected one never gives its last piece away', async () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant('longer' as const), more: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
    fc.record({ kind: fc.constant('shorter' as const), more: fc.constant(new Uint8Array()) }),
    fc.record({ kind: fc.constant('other' as const), more: fc.constant(new Uint8Array()) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), lengths, change, async (content, chunks, { kind, more }) => {
      const changed =
        kind === 'longer' ? Buffer.concat([content, more]) : kind === 'shorter' ? content.subarray(1) : content.map((byte) => byte ^ 1);
      const reader = readBody(body(changed, chunks, content.length), sha256(content), signal);
      let given = 0;
      const reading = (async () => {
        for await (const chunk of reader.read(content.length)) given += chunk.length;
      })();
      await expect(reading).rejects.toMatchObject({ name: 'UploadError', code: 'file_changed', retryable: false });
      expect(given).toBeLessThan(content.length);
    }),
  );
});
