export { migrate } from './migrate.ts';
export { rollback } from './rollback.ts';
export { rollout } from './rollout.ts';
export { shadowComparison as 'shadow-comparison' } from './shadow-comparison.ts';
export { upload } from './upload.ts';
