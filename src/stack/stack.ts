import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { type Config, formatDotenv } from '../config/index.ts';
import { writeAtomically } from './atomic-file.ts';
import { cleanUp } from './clean-up.ts';
import { requireFreeDisk } from './disk.ts';
import { type StatePaths, statePaths } from './paths.ts';
import { choosePorts } from './ports.ts';
import { ProcessRecords } from './process-records.ts';
import { Reaper } from './reaper.ts';
import { startServices } from './start-services.ts';
import { holdFolder, type StackStatus } from './status.ts';
import { Supervisor } from './supervisor.ts';

export interface StackOptions {
  /** Which servers are external, ports, folders. */
  config: Config;
  /** Where programs are looked for (PATH, HOME, …) and what workers inherit. */
  env: Readonly<Record<string, string | undefined>>;
  /** Where workers run: relative paths in their configuration count from there. */
  cwd: string;
  /** Worker processes; none by default. */
  workers?: number;
  /** One line for a person. */
  log?: (line: string) => void;
  /** Gives up starting; what was started is stopped. */
  signal?: AbortSignal;
  /** A service was given up after the start: the stack stops itself and then calls this. */
  onFailure?: (error: Error) => void;
}

export interface Stack {
  stateDir: string;
  temporal: { address: string; uiUrl: string | null; namespace: string; embedded: boolean };
  /** `jwtSecret` signs the tokens of users, and is what a PostgREST over the same database needs. */
  supabase: { url: string; secretKey: string; publishableKey: string | null; jwtSecret: string | null; embedded: boolean };
  /** The embedded database, as its superuser; null when Supabase is external. */
  postgresUrl: string | null;
  processes(): StackStatus['services'];
  /** In order: workers, Supabase, PostgreSQL, Temporal. Resolves when their processes are gone. */
  stop(): Promise<void>;
}

/**
 * Starts what of Temporal, PostgreSQL and Supabase is not configured to be elsewhere, and workers; watches and restarts them. When this
 * process is killed, they are stopped by a helper process.
 * @throws StackError; then nothing that was started is left
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { config, env, log = () => {} } = options;
  const paths = statePaths(config.stateDir);
  const removeIfUnused = prepareFolder(paths);
  const since = new Date().toISOString();
  const status: StackStatus = {
    state: 'starting',
    pid: process.pid,
    since,
    temporalAddress: null,
    temporalUiUrl: null,
    supabaseUrl: null,
    services: [],
  };
  let supervisor: Supervisor | null = null;
  const lock = await holdFolder(paths.dir, () => ({ ...status, services: supervisor?.status() ?? [] }));
  const reaper = new Reaper(paths.dir, env);

  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      status.state = 'stopping';
      await supervisor?.stop();
      rmSync(paths.env, { force: true });
      rmSync(paths.processes, { force: true });
      await reaper.stop();
      await lock.release();
    })();
    return stopping;
  };

  try {
    const left = await cleanUp(paths);
    if (left.length > 0) log(`Stopped what a killed stack had left running: ${left.join(', ')}.`);
    requireFreeDisk(paths.dir);
    const { stack: wanted } = config;
    const { ports, notices } = await choosePorts(paths.ports, {
      temporal: wanted.temporalPort,
      temporalUi: wanted.temporalUiPort,
      supabase: wanted.supabasePort,
      postgres: wanted.postgresPort,
    });
    for (const notice of notices) log(notice);
    reaper.start();
    supervisor = new Supervisor(paths, new ProcessRecords(paths.processes), log, (error) => {
      void stop().then(() => options.onFailure?.(error));
    });
    const addresses = await startServices(supervisor, paths, ports, options);
    const { temporal, supabase } = addresses;
    Object.assign(status, { temporalAddress: temporal.address, temporalUiUrl: temporal.uiUrl, supabaseUrl: supabase.url });
    writeAtomically(paths.env, stackEnv(addresses));
    await supervisor.startWorkers(options.workers ?? 0, {
      ...{ stateDir: paths.dir, cwd: options.cwd, env },
      metricsPort: options.config.metrics.port,
      log: options.log ?? (() => undefined),
    });
    status.state = 'running';
    const running = supervisor;
    return { stateDir: paths.dir, ...addresses, processes: () => running.status(), stop };
  } catch (error) {
    await stop();
    removeIfUnused();
    throw error;
  }
}

/**
 * Makes the state folder. Only root must let another account through, for PostgreSQL; secrets have a mode of their own, and the
 * mode of a folder that holds other things is not ours to change.
 * @returns takes back what was made, as long as there is nothing in it
 */
function prepareFolder({ dir, logs, ports }: StatePaths): () => void {
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  const made = [mkdirSync(dir, { recursive: true, mode }) && dir, mkdirSync(logs, { recursive: true, mode: 0o700 })];
  if (existsSync(ports) || readdirSync(dir).every((name) => name === 'logs' || name === 'bundle')) chmodSync(dir, mode);
  return () => {
    for (const folder of made.reverse()) if (folder !== undefined && readdirSync(folder).length === 0) rmdirSync(folder);
  };
}

/** For the other commands: only what is embedded, so that nothing here hides what somebody has set. */
function stackEnv({ temporal, supabase }: Pick<Stack, 'temporal' | 'supabase'>): string {
  return formatDotenv({
    ...(temporal.embedded ? { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_UI_URL: temporal.uiUrl ?? '' } : {}),
    ...(supabase.embedded
      ? { SUPABASE_URL: supabase.url, SUPABASE_SECRET_KEY: supabase.secretKey, SUPABASE_PUBLISHABLE_KEY: supabase.publishableKey ?? '' }
      : {}),
  });
}
