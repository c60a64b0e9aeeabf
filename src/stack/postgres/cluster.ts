import { type ChildProcess, execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { formatBytes } from '../../domain/format.ts';
import { freeBytes } from '../disk.ts';
import { StackError } from '../stack-error.ts';
import type { Placement } from './placement.ts';

/** The superuser of the embedded cluster, as on a hosted project. */
export const SUPERUSER = 'postgres';

export const dataFolder = (placement: Placement): string => join(placement.home, 'data');

/** The variables a program of PostgreSQL runs with: messages that we read must not be translated. */
export function postgresEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return { PATH: env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

export interface ClusterOptions {
  password: string;
  /** The keys were made just now: a database that is there already has others. */
  secretsAreNew: boolean;
  env: Readonly<Record<string, string | undefined>>;
  /** Ends the making; nothing of it stays. */
  signal: AbortSignal;
  /** Told of initdb, so that it does not outlive us. */
  onSpawn: (child: ChildProcess) => void;
}

/**
 * Makes the database cluster where there is none yet. It is made under another name and renamed when it is complete, so that one
 * whose making was interrupted is never used.
 * @throws StackError with what initdb said
 */
export async function ensureCluster(placement: Placement, options: ClusterOptions): Promise<void> {
  const data = dataFolder(placement);
  const making = join(placement.home, 'making');
  rmSync(making, { recursive: true, force: true });
  if (existsSync(data)) {
    requireSameVersion(data, placement);
    if (options.secretsAreNew)
      throw new StackError(
        'state_unusable',
        `There is a database in ${data}, but the keys it was made with are gone. Restore secrets.json, or delete that folder to begin anew (its data is lost).`,
      );
    return;
  }
  mkdirSync(making, { mode: 0o700 });
  const passwordFile = join(making, 'password');
  try {
    writeFileSync(passwordFile, options.password, { mode: 0o600 });
    if (placement.account !== null)
      for (const path of [making, passwordFile]) chownSync(path, placement.account.uid, placement.account.gid);
    await initdb(placement, join(making, 'data'), passwordFile, options);
    renameSync(join(making, 'data'), data);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

async function initdb(placement: Placement, data: string, passwordFile: string, { env, signal, onSpawn }: ClusterOptions): Promise<void> {
  const flags = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--data-checksums'];
  try {
    const running = promisify(execFile)(
      join(placement.native, 'bin', 'initdb'),
      [`--pgdata=${data}`, `--username=${SUPERUSER}`, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-instructions', ...flags],
      {
        cwd: placement.home,
        env: postgresEnv(env),
        signal,
        ...(placement.account === null ? {} : { uid: placement.account.uid, gid: placement.account.gid }),
      },
    );
    onSpawn(running.child);
    await running;
  } catch (cause) {
    if (signal.aborted) throw new StackError('stopped', 'The stack was stopped while it made its database');
    const said = (cause as { stderr?: string }).stderr?.trim() || String(cause);
    if (/No space left on device/.test(said))
      throw new StackError('disk_full', `No space left in ${placement.home} (${formatBytes(freeBytes(placement.home))} free)`, cause);
    throw new StackError('service_failed', `PostgreSQL could not make its data folder in ${placement.home}: ${said}`, cause);
  }
}

function requireSameVersion(data: string, placement: Placement): void {
  const made = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  const share = join(placement.native, 'share', 'postgresql', 'postgres.bki');
  const ours = /^# PostgreSQL (\d+)/.exec(readFileSync(share, 'utf8').slice(0, 40))?.[1];
  if (ours !== undefined && ours !== made)
    throw new StackError(
      'state_unusable',
      `The database in ${data} was made by PostgreSQL ${made}, and this is ${ours}. Go back to the version of cutover that made it, or delete that folder to begin anew (its data is lost).`,
    );
}
