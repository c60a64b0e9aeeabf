export { migrate } from './migrate.ts';
export { mirror } from './mirror.ts';
export { rehome } from './rehome.ts';
export { rollback } from './rollback.ts';
export { rollout } from './rollout.ts';
export { upload } from './upload.ts';
