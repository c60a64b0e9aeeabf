import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

/**
 * One pass of hashing and uploading 1 GiB to a local sink, beside a bare node:http pipeline in the same run; and, where a
 * Supabase is given, objects of 4 KiB a second. Prints a table. Each transfer is a process of its own.
 */
export async function benchProviders(supabase?: { url: string; secretKey: string }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cutover-bench-'));
  const sink = await startStorageSink();
  try {
    const file = join(folder, '1GiB');
    writeFileSync(file, '');
    truncateSync(file, GIB);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file, { highWaterMark: MIB })) hash.update(chunk);
    const sha256 = hash.digest('hex');

    const runs: Record<'bare' | 'provider', Transfer[]> = { bare: [], provider: [] };
    for (let turn = 0; turn < 3; turn++)
      for (const way of ['bare', 'provider'] as const) runs[way].push(await child<Transfer>([way, sink.url, file, sha256]));
    const rate = (way: 'bare' | 'provider') => 1024 / median(runs[way].map(({ seconds }) => seconds));
    const grown = (way: 'bare' | 'provider') => Math.max(...runs[way].map(({ grownBytes }) => grownBytes)) / MIB;
    for (const way of ['bare', 'provider'] as const)
      console.log(
        `1 GiB hashed and sent, ${way.padEnd(8)}  ${rate(way).toFixed(0).padStart(5)} MiB/s  +${grown(way).toFixed(0)} MiB at most`,
      );
    console.log(`provider ÷ bare: ${(rate('provider') / rate('bare')).toFixed(2)} (aim: 0.9; memory: at most +64 MiB)`);

    for (const concurrency of supabase === undefined ? [] : [1, 8, 32]) {
      const { perSecond } = await child<{ perSecond: number }>(['small', supabase?.url ?? '', String(concurrency)], supabase?.secretKey);
      console.log(`4 KiB objects to Supabase, ${String(concurrency).padStart(2)} at once: ${perSecond.toFixed(0)} a second`);
    }
  } finally {
    await sink.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
