import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { sweepInput } from '../../src/client/retention-client.ts';
import { RETENTION_SWEEP, type SweepInput, sweepStatusQuery } from '../../workflows/contract.ts';
import { fillLedger } from '../support/filled-ledger.ts';
import type { Running } from '../support/running.ts';

export interface Recorder {
  isSaved(way: string): boolean;
  save(running: Running, way: string, workflowId: string): Promise<void>;
}

/** The ways of the retention sweep, over a ledger that is filled anew for each. */
export async function sweeps(cutover: Running, postgresUrl: string, { isSaved, save }: Recorder): Promise<void> {
  const { temporal, config, stores } = cutover;
  const sql = postgres(postgresUrl, { max: 1, onnotice() {} });
  const supabase = stores.provider('supabase');
  await supabase.check(AbortSignal.timeout(10_000));
  const way = async (name: string, over: Partial<SweepInput>, meddle: (workflowId: string) => Promise<void> = async () => {}) => {
    const workflowId = `${RETENTION_SWEEP}-${name}`;
    if (isSaved(workflowId)) return;
    await sql`truncate files, provider_file_uploads, file_references cascade`;
    const prefix = `${config.supabase.bucket}/${name}`;
    await fillLedger(sql, { files: 50, expired: 10, purgeable: 10, provider: 'supabase', account: supabase.account, prefix });
    const input: SweepInput = { ...sweepInput(config), ...over };
    const handle = await temporal.workflow.start(RETENTION_SWEEP, { workflowId, taskQueue: config.temporal.taskQueue, args: [input] });
    await meddle(workflowId);
    await handle.result().catch((error: Error) => console.log(`  ${name}: ${error.message}`));
    await sleep(500);
    await save(cutover, workflowId, workflowId);
  };
  const small = { filesPerPage: 3, purgesPerPage: 3 };
  const handleOf = (id: string) => temporal.workflow.getHandle(id);
  const underWay = async (id: string) => {
    while ((await handleOf(id).query(sweepStatusQuery)).pages < 3) await sleep(20);
  };
  await way('healthy', {});
  await way('dry-run', { dryRun: true });
  await way('continued', { ...small, pagesPerRun: 6 });
  await way('paused', small, async (id) => {
    await underWay(id);
    await handleOf(id).signal('pause', { reason: 'look' });
    await sleep(1000);
    await handleOf(id).signal('resume');
  });
  await way('stopped', small, async (id) => {
    await underWay(id);
    await handleOf(id).signal('stop');
  });
  await way('cancelled', small, async (id) => {
    await underWay(id);
    await handleOf(id).cancel();
  });
  await way('refused', { rules: { ...sweepInput(config).rules, graceDays: -1 } });
  await sql.end();
}
