export { migrate } from './migrate.ts';
export { rollout } from './rollout.ts';
export { upload } from './upload.ts';
