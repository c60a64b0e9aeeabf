import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startS3Sink } from '../support/s3-server.ts';
import { startStorageSink } from '../support/storage-sink.ts';
import { median } from './processes.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const run = promisify(execFile);

interface Transfer {
  seconds: number;
  grownBytes: number;
}

async function child<T>(args: string[], key = 'sink'): Promise<T> {
  const script = join(import.meta.dirname, 'provider-transfer.ts');
  const { stdout } = await run(process.execPath, [script, ...args], { env: { ...process.env, BENCH_KEY: key } });
  return JSON.parse(stdout) as T;
}

interface Comparison {
  what: string;
  way: 'supabase' | 's3';
  url: string;
  sizeBytes: number;
  times: number;
}

/** A provider beside a bare node:http pipeline that hashes too, in turns. Prints the median of three each, and the ratio. */
async function compare(folder: string, { what, way, url, sizeBytes, times }: Comparison): Promise<void> {
  const file = join(folder, what);
  writeFileSync(file, '');
  truncateSync(file, sizeBytes);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: MIB })) hash.update(chunk);
  const args = [url, file, hash.digest('hex'), String(times)];

  const runs: { bare: Transfer[]; provider: Transfer[] } = { bare: [], provider: [] };
  for (let turn = 0; turn < 3; turn++) {
    runs.bare.push(await child<Transfer>(['bare', ...args]));
    runs.provider.push(await child<Transfer>([way, ...args]));
  }
  const rate = (transfers: Transfer[]) => (sizeBytes * times) / MIB / median(transfers.map(({ seconds }) => seconds));
  const grown = (transfers: Transfer[]) => Math.max(...transfers.map(({ grownBytes }) => grownBytes)) / MIB;
  for (const [name, transfers] of [['bare', runs.bare] as const, [way, runs.provider] as const])
    console.log(
      `${what} hashed and sent, ${name.padEnd(8)}  ${rate(transfers).toFixed(0).padStart(5)} MiB/s  +${grown(transfers).toFixed(0)} MiB at most`,
    );
  console.log(`${way} ÷ bare: ${(rate(runs.provider) / rate(runs.bare)).toFixed(2)} (aim: 0.9; memory: at most +64 MiB)`);
}

/**
 * One pass of hashing and uploading to a local sink, beside a bare node:http pipeline in the same run: 1 GiB to Supabase Storage and
 * 20 files of 32 MiB to S3; and, where a Supabase is given, objects of 4 KiB a second. Each transfer is a process of its own.
 */
export async function benchProviders(supabase?: { url: string; secretKey: string }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cutover-bench-'));
  const storage = await startStorageSink();
  const s3 = await startS3Sink();
  try {
    await compare(folder, { what: '1 GiB', way: 'supabase', url: storage.url, sizeBytes: GIB, times: 1 });
    await compare(folder, { what: '20 × 32 MiB', way: 's3', url: s3.url, sizeBytes: 32 * MIB, times: 20 });

    for (const concurrency of supabase === undefined ? [] : [1, 8, 32]) {
      const { perSecond } = await child<{ perSecond: number }>(['small', supabase?.url ?? '', String(concurrency)], supabase?.secretKey);
      console.log(`4 KiB objects to Supabase, ${String(concurrency).padStart(2)} at once: ${perSecond.toFixed(0)} a second`);
    }
  } finally {
    await storage.close();
    await s3.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
