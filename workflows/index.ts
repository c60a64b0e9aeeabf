export { migrate } from './migrate.ts';
export { rollback } from './rollback.ts';
export { rollout } from './rollout.ts';
export { upload } from './upload.ts';
