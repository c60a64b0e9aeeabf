import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import http from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UploadRequest } from '../../src/providers/provider.ts';
import { createS3 } from '../../src/providers/s3.ts';
import { createSupabaseStorage } from '../../src/providers/supabase-storage.ts';
import { readFileChunks } from '../../src/sources/local-file.ts';
import { peakBytes, resetPeak, residentBytes } from './processes.ts';

/**
 * A process that uploads and says how fast it was and how its memory grew: `<bare|supabase|s3> <url> <file> <sha256> <times>` or
 * `small <url> <concurrency>`.
 */
const [way, url = '', file = '', sha256 = '', times = '1'] = process.argv.slice(2);
const signal = new AbortController().signal;
const key = process.env.BENCH_KEY ?? 'sink';
const common = {
  bucket: 'bench',
  maxFileBytes: Number.MAX_SAFE_INTEGER,
  maxRetryAttempts: 0,
  timeouts: { callMs: 30_000, idleMs: 30_000, minBytesPerSecond: 65_536 },
};
const provider =
  way === 's3'
    ? createS3({
        ...common,
        endpoint: url,
        region: 'us-east-1',
        accessKeyId: 'bench',
        secretAccessKey: key,
        sessionToken: null,
        forcePathStyle: true,
        multipartThresholdBytes: 64 * 1024 * 1024,
        partBytes: 16 * 1024 * 1024,
      })
    : createSupabaseStorage({ ...common, url, secretKey: key });
const request = (more: Pick<UploadRequest, 'body' | 'sha256'>): UploadRequest => ({
  mimeType: 'application/octet-stream',
  purpose: 'storage',
  namespace: 'live',
  name: 'bench.bin',
  marker: '00000000-0000-0000-0000-000000000000',
  retried: false,
  signal,
  ...more,
});

/** What the provider is compared with: Node's own pipeline, which hashes too. */
async function bare(): Promise<void> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const sending = http.request(`${url}/storage/v1/object/bench/bare`, {
    method: 'POST',
    headers: { 'content-length': statSync(file).size },
  });
  const answered = new Promise((resolve, reject) =>
    sending.on('response', (answer) => answer.resume().on('end', resolve)).on('error', reject),
  );
  await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), hashing, sending);
  await answered;
  if (hash.digest('hex') !== sha256) throw new Error('wrong hash');
}

async function throughProvider(): Promise<void> {
  const sizeBytes = statSync(file).size;
  await provider.upload(request({ sha256, body: { sizeBytes, open: (offset, stop) => readFileChunks(file, sizeBytes, offset, stop) } }));
}

function smallObject(): UploadRequest {
  const bytes = Buffer.alloc(4096);
  crypto.getRandomValues(bytes);
  return request({
    sha256: createHash('sha256').update(bytes).digest('hex'),
    body: {
      sizeBytes: bytes.length,
      async *open() {
        yield bytes;
      },
    },
  });
}

async function small(concurrency: number, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const loop = async () => {
    for (; performance.now() < end; done++) await provider.upload(smallObject());
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return done / seconds;
}

if (way === 'small') {
  await provider.check(signal);
  await small(Number(file), 1);
  console.log(JSON.stringify({ perSecond: await small(Number(file), 4) }));
} else {
  await provider.upload(smallObject());
  resetPeak(process.pid);
  const before = residentBytes(process.pid);
  const started = performance.now();
  for (let sent = 0; sent < Number(times); sent += 1) await (way === 'bare' ? bare() : throughProvider());
  const seconds = (performance.now() - started) / 1000;
  console.log(JSON.stringify({ seconds, grownBytes: peakBytes(process.pid) - before }));
}
