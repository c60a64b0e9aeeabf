import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../../domain/errors.ts';
import { entryPoint } from '../paths.ts';
import { StackError } from '../stack-error.ts';
import { TEMPORAL_VERSION } from './version.ts';

export interface BuildContext {
  cacheDir: string;
  env: Readonly<Record<string, string | undefined>>;
  /** One line for a person. */
  log: (line: string) => void;
  /** Ends the installation; nothing of it stays. */
  signal: AbortSignal;
  /** Told of each helper process, so that it does not outlive us. */
  onSpawn?: (child: ChildProcess) => void;
}

const DOWNLOAD_WITHIN_MS = 60_000;
const PROGRESS_EVERY_MS = 15_000;
const PACKAGE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}`;

/** Lets the Temporal SDK download its CLI, within a minute. @returns false when it could not */
export async function downloadBySdk(path: string, context: BuildContext): Promise<boolean> {
  return inTemporaryFolder(path, async (folder) => {
    const child = spawn(process.execPath, [entryPoint('./download', import.meta.url), folder], {
      env: { ...context.env },
      stdio: ['ignore', 'ignore', 'ignore'],
      detached: true,
    });
    const result = await finished(child, context, DOWNLOAD_WITHIN_MS);
    const file = result.code === 0 ? largestFile(folder) : null;
    if (file === null) return false;
    publish(file, path);
    return true;
  });
}

/** Builds the Temporal CLI from its sources. @throws StackError with the end of what Go said */
export async function buildWithGo(go: string, path: string, context: BuildContext): Promise<void> {
  const { log } = context;
  log(
    `No Temporal server is installed here: building version ${TEMPORAL_VERSION} with Go. This happens once and takes 2–3 minutes on an idle machine.`,
  );
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  await inTemporaryFolder(path, async (folder) => {
    const child = spawn(go, ['install', PACKAGE], {
      cwd: folder,
      env: { ...context.env, GOBIN: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    const progress = setInterval(() => log(`  still building Temporal (${seconds()} s)`), PROGRESS_EVERY_MS);
    try {
      const { code, said } = await finished(child, context, null);
      if (code !== 0)
        throw new StackError(
          'temporal_missing',
          `Temporal could not be built with Go (\`go install ${PACKAGE}\`):\n    ${said.trim().split('\n').slice(-5).join('\n    ')}\n  Install the Temporal CLI (https://docs.temporal.io/cli) or set TEMPORAL_ADDRESS to a server that runs.`,
        );
    } finally {
      clearInterval(progress);
    }
    publish(join(folder, 'temporal'), path);
  });
  log(`Temporal was built in ${seconds()} s and is kept in ${dirname(path)}.`);
}

/** A folder beside the target, for a rename into place; removed in every case, with those of interrupted installations. */
async function inTemporaryFolder<T>(path: string, work: (folder: string) => Promise<T>): Promise<T> {
  const cache = dirname(dirname(path));
  for (const name of readdirSync(cache))
    if (/^temporal\.[0-9a-f]{8}\.tmp$/.test(name)) rmSync(join(cache, name), { recursive: true, force: true });
  const folder = join(cache, `temporal.${randomBytes(4).toString('hex')}.tmp`);
  mkdirSync(folder);
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function publish(file: string, path: string): void {
  chmodSync(file, 0o755);
  mkdirSync(dirname(path), { recursive: true });
  renameSync(file, path);
}

function largestFile(folder: string): string | null {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => ({ path: join(folder, name), stat: statSync(join(folder, name)) }))
    .filter(({ stat }) => stat.isFile())
    .sort((a, b) => b.stat.size - a.stat.size);
  return files[0]?.path ?? null;
}

/** Waits for a helper; ends it and all that it started when time or patience runs out. */
function finished(child: ChildProcess, context: BuildContext, withinMs: number | null): Promise<{ code: number | null; said: string }> {
  const { signal, onSpawn } = context;
  onSpawn?.(child);
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-20_000);
    });
    const end = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const timer = withinMs === null ? undefined : setTimeout(end, withinMs);
    signal.addEventListener('abort', end, { once: true });
    child.once('error', (error) => resolve({ code: null, said: messageOf(error) }));
    child.once('close', (code) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(new StackError('stopped', 'The installation of Temporal was stopped; nothing of it was kept'));
      else resolve({ code, said });
    });
  });
}
