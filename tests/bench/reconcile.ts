import { randomUUID } from 'node:crypto';
import postgres, { type Sql } from 'postgres';
import { formatCount } from '../../src/domain/format.ts';
import { connectStores } from '../../src/manager/stores.ts';
import { reconcileWorkflowId } from '../../workflows/contract.ts';
import { fillLedger } from '../support/filled-ledger.ts';
import { type Bench, onStack } from './running-stack.ts';
import { type Cost, costOf, sizesOf, tellScaling, traceOf } from './scaling.ts';

const SIZES = [10_000, 100_000];
/** One object in a hundred is lost, and one more has another size. */
const EACH = 100;

/** A reconciliation of 100,000 files with 2,000 disagreements beside one of 10,000 with 200, in a new ledger each, through one worker process. */
export async function benchReconcile(args: readonly string[]): Promise<void> {
  const costs: Cost[] = [];
  for (const files of sizesOf(args, SIZES))
    await onStack(1, {}, async (bench) => {
      const sql = postgres(bench.stack.postgresUrl ?? '', { max: 1, onnotice() {} });
      await plant(files, bench, sql);
      costs.push(await reconcile(files, bench));
      await sql.end();
    });
  tellScaling(costs);
}

/** Rows of Supabase Lite's are objects to a listing; their bytes are not asked for. */
async function plant(files: number, { config }: Bench, sql: Sql): Promise<void> {
  const { provider } = connectStores(config);
  const { bucket } = config.supabase;
  // Makes the bucket.
  await provider('supabase').check(AbortSignal.timeout(30_000));
  const { account } = provider('supabase');
  await fillLedger(sql, { ...{ files, expired: 0, purgeable: 0 }, provider: 'supabase', account, prefix: `${bucket}/live` });
  await sql`
    insert into storage.objects (bucket_id, name, metadata)
    select ${bucket}, substr(provider_file_id, ${bucket.length + 2}::int), jsonb_build_object('size', 1000 + (n % ${EACH}::int = 1)::int)
    from (select provider_file_id, row_number() over (order by id) as n from public.provider_file_uploads) copies where n % ${EACH}::int <> 0`;
  await sql`analyze storage.objects`;
}

async function reconcile(files: number, bench: Bench): Promise<Cost> {
  const runId = randomUUID();
  const { result, cost, said } = await costOf(files, bench, async () => {
    const order = { runId, graceSeconds: 0, hashes: true, foreign: false };
    await bench.client.startReconcile({ providers: ['supabase'], order, fix: false, fixUnknown: false });
    return await bench.client.runResult('reconcile', runId);
  });
  const { agrees, lost, other_size: otherSize } = result.counts;
  if (lost !== files / EACH || otherSize !== files / EACH || agrees !== files - lost - otherSize) throw new Error(JSON.stringify(result));
  console.log(`reconcile: ${formatCount(files)} files, ${formatCount(lost + otherSize)} disagreements: ${said}`);
  console.log(`  ${await traceOf(bench, reconcileWorkflowId(runId))}`);
  return cost;
}
