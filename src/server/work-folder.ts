import { access, constants, mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf, ValidationError } from '../domain/errors.ts';
import { identify, isRunning } from '../stack/process-identity.ts';

/** Where a server keeps uploads that are under way. */
export interface WorkFolder {
  path: string;
  remove(): Promise<void>;
}

const PREFIX = 'cutover-serve';

/**
 * A folder of this process alone below `base`. What a server of this machine left there when it was killed is removed: whoever waited
 * for those uploads was told that they failed.
 * @throws ValidationError where there can be none
 */
export async function openWorkFolder(base: string): Promise<WorkFolder> {
  await mkdir(base, { recursive: true, mode: 0o700 })
    .then(() => access(base, constants.R_OK | constants.W_OK | constants.X_OK))
    .catch((error: unknown) => {
      throw new ValidationError(
        `Uploads cannot be kept in ${base} meanwhile (${messageOf(error)}): set CUTOVER_STAGING_DIR to a folder of your own`,
        {
          code: 'folder_unusable',
          cause: error,
        },
      );
    });
  const own = identify(process.pid);
  const path = join(base, nameOf(process.pid, own?.started ?? ''));
  for (const entry of await readdir(base)) {
    const [prefix, host, pid = '', started = ''] = entry.split('@');
    if (prefix !== PREFIX || host !== hostname()) continue;
    if (!isRunning({ pid: Number(pid), started: started.replaceAll('_', ':').replaceAll('+', ' ') }))
      await rm(join(base, entry), { recursive: true, force: true });
  }
  await mkdir(path, { recursive: true, mode: 0o700 });
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** `started` is made of digits, letters, colons and spaces, which not every file system takes. */
const nameOf = (pid: number, started: string) => [PREFIX, hostname(), pid, started.replaceAll(':', '_').replaceAll(' ', '+')].join('@');
