import { sleep } from '@temporalio/workflow';
import { hashBackfill as goodBackfill } from '../../workflows/hash-backfill.ts';
import { migrate as goodMigrate } from '../../workflows/migrate.ts';
import { mirror as goodMirror } from '../../workflows/mirror.ts';
import { reconcile as goodReconcile } from '../../workflows/reconcile.ts';
import { rehome as goodRehome } from '../../workflows/rehome.ts';
import { retentionSweep as goodSweep } from '../../workflows/retention-sweep.ts';
import { rollback as goodRollback } from '../../workflows/rollback.ts';
import { rollout as goodRollout } from '../../workflows/rollout.ts';
import { shadowComparison as goodShadowComparison } from '../../workflows/shadow-comparison.ts';
import { upload as goodUpload } from '../../workflows/upload.ts';

/** The workflows with a step more at their beginning: what a careless change looks like. */
export async function upload(...args: Parameters<typeof goodUpload>) {
  await sleep('1 second');
  return await goodUpload(...args);
}

export async function migrate(...args: Parameters<typeof goodMigrate>) {
  await sleep('1 second');
  return await goodMigrate(...args);
}

export async function rollout(...args: Parameters<typeof goodRollout>) {
  await sleep('1 second');
  return await goodRollout(...args);
}

async function shadowComparison(...args: Parameters<typeof goodShadowComparison>) {
  await sleep('1 second');
  return await goodShadowComparison(...args);
}

export { shadowComparison as 'shadow-comparison' };

async function retentionSweep(...args: Parameters<typeof goodSweep>) {
  await sleep('1 second');
  return await goodSweep(...args);
}

export { retentionSweep as 'retention-sweep' };
export async function reconcile(...args: Parameters<typeof goodReconcile>) {
  await sleep('1 second');
  return await goodReconcile(...args);
}

async function hashBackfill(...args: Parameters<typeof goodBackfill>) {
  await sleep('1 second');
  return await goodBackfill(...args);
}

export { hashBackfill as 'hash-backfill' };
export async function mirror(...args: Parameters<typeof goodMirror>) {
  await sleep('1 second');
  return await goodMirror(...args);
}

export async function rehome(...args: Parameters<typeof goodRehome>) {
  await sleep('1 second');
  return await goodRehome(...args);
}

export async function rollback(...args: Parameters<typeof goodRollback>) {
  await sleep('1 second');
  return await goodRollback(...args);
}
