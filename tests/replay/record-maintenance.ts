import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BackfillInput, backfillWorkflowId, type ReconcileInput, reconcileWorkflowId } from '../../workflows/contract.ts';
import { sha256Of, uploadOf } from '../support/bodies.ts';
import type { Running } from '../support/running.ts';

/** How record.ts keeps what it records. */
export interface Keeping {
  isSaved(way: string): boolean;
  save(cutover: Running, way: string, workflowId: string): Promise<void>;
}

/** The ways of what goes page by page: reconciliation and hash backfill. */
export async function recordMaintenance(cutover: Running, keeping: Keeping): Promise<void> {
  await reconciliations(cutover, keeping);
  await backfills(cutover, keeping);
}

/** Runs one way, meddles while it runs, and keeps it, however it ended. */
async function record(
  cutover: Running,
  { isSaved, save }: Keeping,
  { way, type, workflowId, input, meddle }: { way: string; type: string; workflowId: string; input: unknown; meddle?: () => Promise<void> },
): Promise<void> {
  if (isSaved(way)) return;
  const { temporal, config } = cutover;
  const handle = await temporal.workflow.start(type, { workflowId, taskQueue: config.temporal.taskQueue, args: [input] });
  await meddle?.();
  await handle.result().catch((error: Error) => console.log(`  ${way}: ${error.message}`));
  await sleep(500);
  await save(cutover, way, workflowId);
}

async function reconciliations(cutover: Running, keeping: Keeping): Promise<void> {
  const { client, stores } = cutover;
  const way = async (name: string, over: Partial<ReconcileInput>, meddle?: () => Promise<void>) => {
    const order = { runId: name, graceSeconds: 0, hashes: true, foreign: false };
    const input: ReconcileInput = { providers: ['supabase'], order, fix: false, pagesPerRun: 500, ...over };
    await record(cutover, keeping, {
      ...{ way: name, type: 'reconcile', workflowId: reconcileWorkflowId(name), input },
      ...(meddle === undefined ? {} : { meddle }),
    });
  };
  /** An object that no row knows, and a row whose object is gone. */
  async function disagree(seed: number): Promise<void> {
    const { provider, ledger } = stores;
    const unknown = uploadOf(3000, seed);
    await provider('supabase').upload(unknown);
    const owner = randomUUID();
    const sha256 = sha256Of([Buffer.from(owner)]);
    const claim = await ledger.claim({
      ...{ provider: 'supabase', account: provider('supabase').account, purpose: 'storage', namespace: 'live' },
      ...{ content: { sha256, sizeBytes: 36, mimeType: 'text/plain' }, originalName: 'lost.txt' },
      ...{ owner, idempotencyKey: owner, leaseSeconds: 60 },
    });
    await ledger.complete(claim.copyId, owner, provider('supabase').idOf(sha256, 'live') ?? '');
  }
  const pause = (name: string) => async () => {
    await client.signalRun('reconcile', name, 'pause', 'look');
    await sleep(1_000);
    await client.signalRun('reconcile', name, 'resume');
  };
  await disagree(11);
  await way('reconcile-reported', {});
  await way('reconcile-settled', { fix: true });
  await disagree(12);
  await way('reconcile-continued', { fix: true, pagesPerRun: 1 });
  await way('reconcile-paused', {}, pause('reconcile-paused'));
  await way('reconcile-cancelled', {}, async () => {
    await client.signalRun('reconcile', 'reconcile-cancelled', 'pause');
    await sleep(500);
    await client.signalRun('reconcile', 'reconcile-cancelled', 'cancel', 'wrong night');
  });
  await way('reconcile-refused', { providers: ['kimi'] });
}

async function backfills(cutover: Running, keeping: Keeping): Promise<void> {
  const { client, config, stores } = cutover;
  const bucket = config.supabase.bucket;
  const way = async (name: string, over: Partial<BackfillInput>, dryRun = false, meddle?: () => Promise<void>) => {
    const order = { runId: name, provider: 'supabase', bucket, batchSize: 4, dryRun };
    const input: BackfillInput = { order, pagesPerRun: 500, ...over };
    await record(cutover, keeping, {
      ...{ way: name, type: 'hash-backfill', workflowId: backfillWorkflowId(name), input },
      ...(meddle === undefined ? {} : { meddle }),
    });
  };
  /** Rows of an application, the last one of which cannot be read. */
  async function oldRows(count: number, seed: number): Promise<void> {
    const { url, secretKey } = config.supabase;
    const stored = await Promise.all(
      Array.from({ length: count }, (_, at) => stores.provider('supabase').upload(uploadOf(200, seed + at))),
    );
    const paths = [...stored.map(({ id }) => id.slice(bucket.length + 1)), `gone/${seed}`];
    await fetch(`${url}/rest/v1/files`, {
      method: 'POST',
      headers: { apikey: secretKey ?? '', authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(paths.map((path) => ({ storage_path: path, original_name: path, size_bytes: 200, metadata: {} }))),
    });
  }
  await oldRows(9, 100);
  await way('hash-backfill-dry', {}, true);
  await way('hash-backfill-recorded', {});
  await oldRows(9, 200);
  await way('hash-backfill-continued', { pagesPerRun: 1 });
  await oldRows(5, 300);
  await way('hash-backfill-paused', {}, false, async () => {
    await client.signalRun('backfill', 'hash-backfill-paused', 'pause', 'look');
    await sleep(1_000);
    await client.signalRun('backfill', 'hash-backfill-paused', 'resume');
  });
  await oldRows(5, 400);
  await way('hash-backfill-cancelled', {}, false, async () => {
    await client.signalRun('backfill', 'hash-backfill-cancelled', 'pause');
    await sleep(500);
    await client.signalRun('backfill', 'hash-backfill-cancelled', 'cancel', 'wrong bucket');
  });
}
