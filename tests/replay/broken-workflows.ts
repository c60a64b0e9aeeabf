import { sleep } from '@temporalio/workflow';
import { migrate as goodMigrate } from '../../workflows/migrate.ts';
import { mirror as goodMirror } from '../../workflows/mirror.ts';
import { rehome as goodRehome } from '../../workflows/rehome.ts';
import { rollback as goodRollback } from '../../workflows/rollback.ts';
import { rollout as goodRollout } from '../../workflows/rollout.ts';
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
