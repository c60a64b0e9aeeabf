import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { filesDone } from '../../src/domain/migration.ts';
import { peakBytes, resetPeak, residentBytes } from './processes.ts';
import { type Bench, onStack } from './running-stack.ts';

const MIB = 1024 * 1024;
const mib = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;

/** How much the worker grows while it uploads a file of 1 GiB, verified by reading it back. */
export async function memoryOfAFile(): Promise<void> {
  await onStack(1, { MAX_FILE_SIZE_MB: '2048' }, async ({ client, folder, pid }) => {
    const worker = pid('worker-1');
    const migrate = async (name: string, bytes: number, verify: 'none' | 'download') => {
      const root = join(folder, name);
      mkdirSync(root);
      writeFileSync(join(root, 'file'), name);
      truncateSync(join(root, 'file'), bytes);
      const started = performance.now();
      const id = await client.startMigration({ source: { kind: 'folder', root }, provider: 'supabase', concurrency: 1, verify });
      const { totals } = await client.migrationResult(id);
      if (totals.uploaded !== 1) throw new Error(`not uploaded: ${JSON.stringify(await client.migrationStatus(id))}`);
      return (performance.now() - started) / 1000;
    };
    await migrate('warm', 8 * MIB, 'download');
    await sleep(1_000);
    resetPeak(worker);
    const before = residentBytes(worker);
    const seconds = await migrate('large', 1024 * MIB, 'none');
    console.log(
      `memory: a file of 1 GiB through the whole workflow in ${seconds.toFixed(1)} s (hashed, then sent: ${((2 * 1024) / seconds).toFixed(0)} MiB/s read)`,
    );
    console.log(
      `  worker before ${mib(before)}, highest ${mib(peakBytes(worker))}: ${mib(peakBytes(worker) - before)} more (64 MiB allowed)`,
    );
    const reread = await migrate('reread', 1024 * MIB + 1, 'download');
    console.log(`  the same with --verify=download in ${reread.toFixed(1)} s: highest ${mib(peakBytes(worker))}`);
  });
}

/** Whether the worker grows with the number of files. `npm run bench -- files [20000]` */
export async function memoryOfManyFiles(args: string[]): Promise<void> {
  const files = Number(args[0] ?? 20_000);
  await onStack(1, {}, async (bench) => {
    const root = join(bench.folder, 'many');
    for (let at = 0; at < files; at += 1) {
      if (at % 1000 === 0) mkdirSync(join(root, `${at / 1000}`), { recursive: true });
      writeFileSync(join(root, `${Math.floor(at / 1000)}`, `${at}`), `file ${at}`);
    }
    const id = await bench.client.startMigration({
      source: { kind: 'folder', root },
      provider: 'supabase',
      concurrency: 50,
      verify: 'none',
    });
    console.log(`files: ${files} files of a few bytes, 50 at once, one worker process`);
    await watch(bench, id, files);
    rmSync(root, { recursive: true });
  });
}

async function watch({ client, pid }: Bench, id: string, files: number): Promise<void> {
  const started = performance.now();
  const samples: { done: number; rss: number }[] = [];
  for (let next = files / 10; next <= files; next += files / 10) {
    let done = 0;
    while (done < next) {
      await sleep(1_000);
      done = filesDone((await client.migrationStatus(id)).totals);
    }
    samples.push({ done, rss: residentBytes(pid('worker-1')) });
    const rate = done / ((performance.now() - started) / 1000);
    console.log(
      `  ${done} files, ${rate.toFixed(1)} a second: worker ${mib(residentBytes(pid('worker-1')))}, Temporal ${mib(residentBytes(pid('temporal')))}`,
    );
  }
  const half = samples[Math.floor(samples.length / 2) - 1];
  const end = samples.at(-1);
  if (half !== undefined && end !== undefined) console.log(`  from the half to the end: ${mib(end.rss - half.rss)} more`);
}
