export { migrate } from './migrate.ts';
export { retentionSweep as 'retention-sweep' } from './retention-sweep.ts';
export { rollback } from './rollback.ts';
export { rollout } from './rollout.ts';
export { upload } from './upload.ts';
