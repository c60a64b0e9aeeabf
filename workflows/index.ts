export { migrate } from './migrate.ts';
export { upload } from './upload.ts';
