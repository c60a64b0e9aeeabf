export { hashBackfill as 'hash-backfill' } from './hash-backfill.ts';
export { migrate } from './migrate.ts';
export { reconcile } from './reconcile.ts';
export { rollback } from './rollback.ts';
export { rollout } from './rollout.ts';
export { upload } from './upload.ts';
