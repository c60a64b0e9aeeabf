import { BUCKET_TOOLS } from './bucket-tools.ts';
import { FILE_TOOLS } from './file-tools.ts';
import { MIGRATION_TOOLS } from './migration-tools.ts';
import { RETENTION_TOOLS } from './retention-tools.ts';
import { ROLLOUT_TOOLS } from './rollout-tools.ts';
import { SHADOW_TOOLS } from './shadow-tools.ts';
import { STATUS_TOOLS } from './status-tools.ts';
import type { Tool } from './tool.ts';
import { UPLOAD_TOOLS } from './upload-tools.ts';

/** Every tool. */
export const TOOLS: readonly Tool[] = [
  ...STATUS_TOOLS,
  ...UPLOAD_TOOLS,
  ...FILE_TOOLS,
  ...BUCKET_TOOLS,
  ...ROLLOUT_TOOLS,
  ...SHADOW_TOOLS,
  ...RETENTION_TOOLS,
  ...MIGRATION_TOOLS,
];
