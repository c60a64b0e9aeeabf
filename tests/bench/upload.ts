import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { CutoverClient } from '../../src/client/cutover-client.ts';
import { cpuSecondsWithChildren, median } from './processes.ts';
import { type Bench, onStack } from './running-stack.ts';

const ROUNDS = 5;
const UPLOADS = 200;
const AT_ONCE = 50;
const BYTES = 4096;

/** Uploads a second through the whole workflow, beside a workflow of one empty activity on the same server, in turns. */
export async function uploadRate(): Promise<void> {
  await onStack(1, {}, async (bench) => {
    const alternative = await startAlternative(bench.config.temporal.address ?? '');
    const temporal = new Client({ connection: await Connection.connect({ address: bench.config.temporal.address ?? '' }) });
    const one = () => temporal.workflow.execute('oneActivity', { workflowId: randomUUID(), taskQueue: 'one-activity' });
    await rate(one, 50);
    await rate(uploader(bench, 50), 50);
    const ours: number[] = [];
    const theirs: number[] = [];
    const cpu = { ours: costs(bench, bench.pid('worker-1')), theirs: costs(bench, alternative.pid ?? 0) };
    for (let round = 0; round < ROUNDS; round += 1) {
      theirs.push(await cpu.theirs.during(() => rate(one, UPLOADS)));
      ours.push(await cpu.ours.during(() => rate(uploader(bench, UPLOADS), UPLOADS)));
    }
    const ratios = ours.map((value, round) => value / (theirs[round] as number));
    console.log(`upload: ${ROUNDS} rounds of ${UPLOADS} files of ${BYTES} bytes, ${AT_ONCE} at once, one worker process`);
    console.log(`  upload workflow       ${median(ours).toFixed(1)} a second   ${cpu.ours.perOne()}`);
    console.log(`  one-activity workflow ${median(theirs).toFixed(1)} a second   ${cpu.theirs.perOne()}`);
    console.log(
      `  ratio, median of pairs ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`,
    );
    alternative.kill('SIGTERM');
    await once(alternative, 'exit');
    await temporal.connection.close();
  });
}

async function startAlternative(address: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./one-activity-worker.ts', import.meta.url)), [address, 'one-activity']);
  await once(child, 'message');
  return child;
}

/** Runs it that often, so many at once. Runs a second. */
async function rate(run: () => Promise<unknown>, times: number): Promise<number> {
  const started = performance.now();
  let left = times;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await run();
    }),
  );
  return times / ((performance.now() - started) / 1000);
}

/** Uploads of files that nobody has seen before. */
function uploader({ client, folder }: { client: CutoverClient; folder: string }, files: number): () => Promise<unknown> {
  const inside = join(folder, 'files', randomUUID());
  mkdirSync(inside, { recursive: true });
  for (let at = 0; at < files; at += 1) writeFileSync(join(inside, `${at}`), randomBytes(BYTES));
  let next = 0;
  return async () => {
    const path = join(inside, `${next++}`);
    const upload = await client.startUpload({
      idempotencyKey: randomUUID(),
      source: { kind: 'path', path, sizeBytes: BYTES, modifiedMs: 0 },
      provider: 'supabase',
      namespace: 'live',
      reference: { name: path, tool: 'bench', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
      verify: 'none',
      onDuplicate: 'reuse',
    });
    return await client.uploadResult(upload);
  };
}

/** CPU of each process, for one run of ours or theirs, in ms. */
function costs({ pid }: Bench, worker: number) {
  const pids = { temporal: pid('temporal'), worker, supabase: pid('supabase'), postgres: pid('postgres') };
  const total: Record<string, number> = {};
  let runs = 0;
  return {
    async during<T>(run: () => Promise<T>): Promise<T> {
      const before = Object.values(pids).map(cpuSecondsWithChildren);
      const result = await run();
      Object.entries(pids).forEach(([name, id], at) => {
        total[name] = (total[name] ?? 0) + cpuSecondsWithChildren(id) - (before[at] as number);
      });
      runs += UPLOADS;
      return result;
    },
    perOne: () =>
      `CPU each: ${Object.entries(total)
        .map(([name, seconds]) => `${name} ${((seconds / runs) * 1000).toFixed(1)} ms`)
        .join(', ')}`,
  };
}
