export { migrate } from './migrate.ts';
export { mirror } from './mirror.ts';
export { rehome } from './rehome.ts';
export { retentionSweep as 'retention-sweep' } from './retention-sweep.ts';
export { rollback } from './rollback.ts';
export { rollout } from './rollout.ts';
export { shadowComparison as 'shadow-comparison' } from './shadow-comparison.ts';
export { upload } from './upload.ts';
