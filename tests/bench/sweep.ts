import postgres, { type Sql } from 'postgres';
import { formatCount } from '../../src/domain/format.ts';
import { copiesWith } from '../../src/domain/retention.ts';
import { connectStores } from '../../src/manager/stores.ts';
import { fillLedger } from '../support/filled-ledger.ts';
import { type Bench, onStack } from './running-stack.ts';
import { type Cost, costOf, sizesOf, tellScaling } from './scaling.ts';

const SIZES = [10_000, 100_000];
/** A fifth is due: half of these to be marked as deleted, half to be purged. */
const DUE = 0.2;

/**
 * A sweep of 100,000 files of which 20,000 are due beside one of 10,000 with 2,000 due, in a new ledger each, through the whole workflow
 * and one worker process. The objects of the purges are not there: each costs a real delete call to Supabase Lite, which finds nothing.
 */
export async function benchSweep(args: readonly string[]): Promise<void> {
  const perFile: Cost[] = [];
  for (const files of sizesOf(args, SIZES))
    await onStack(1, {}, async (bench) => {
      const sql = postgres(bench.stack.postgresUrl ?? '', { max: 1, onnotice() {} });
      perFile.push(await timeOf(files, bench, sql));
      await sql.end();
    });
  tellScaling(perFile);
}

/** Prints the times of a dry run and of two sweeps, the second of which has nothing to do. @returns what the first one cost */
async function timeOf(files: number, bench: Bench, sql: Sql): Promise<Cost> {
  const { client } = bench;
  const { provider } = connectStores(bench.config);
  const due = Math.round((files * DUE) / 2);
  // Makes the bucket.
  await provider('supabase').check(AbortSignal.timeout(30_000));
  await fillLedger(sql, {
    files,
    expired: due,
    purgeable: due,
    provider: 'supabase',
    account: provider('supabase').account,
    prefix: 'cutover/bench',
  });
  const sweep = async (dryRun: boolean) => {
    const started = performance.now();
    const { workflowId } = await client.startSweep({ dryRun });
    const { counts } = await client.sweepResult(workflowId);
    return { ms: performance.now() - started, counts };
  };
  const dry = await sweep(true);
  const { result: real, cost, said } = await costOf(files, bench, () => sweep(false));
  const again = await sweep(false);
  const [marked, purged] = (['mark', 'purge'] as const).map((action) => copiesWith(real.counts, { action, outcome: 'done' }));
  if (marked !== due || purged !== due || copiesWith(dry.counts, { outcome: 'planned' }) !== 2 * due || again.counts.length > 0)
    throw new Error(`of ${due} and ${due} due: ${JSON.stringify({ dry: dry.counts, real: real.counts, again: again.counts })}`);
  console.log(
    `sweep: ${formatCount(files)} files, ${formatCount(2 * due)} due (${formatCount(marked)} marked, ${formatCount(purged)} purged): ${said}; ` +
      `dry run ${(dry.ms / 1000).toFixed(1)} s; with nothing to do ${(again.ms / 1000).toFixed(1)} s`,
  );
  return cost;
}
