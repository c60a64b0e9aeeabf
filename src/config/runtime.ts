import { z } from 'zod';
import { boolean, float, integer, oneOf, path, port, text } from './parsers.ts';
import { setting } from './setting.ts';

/** How a worker behaves. */
export function workerSchema() {
  const variables = z.object({
    CUTOVER_WORKER_CONCURRENCY: setting(integer({ min: 1, max: 1000 }), { about: 'Activities at once in one worker', default: 50 }),
    CUTOVER_SHUTDOWN_GRACE_SECONDS: setting(float({ min: 0, max: 3600 }), {
      about: 'How long a stopping worker lets its activities finish, and a stopping `cutover serve` its requests',
      default: 5,
    }),
  });
  const schema = variables.transform((v) => ({
    maxConcurrentActivities: v.CUTOVER_WORKER_CONCURRENCY,
    shutdownGraceMs: v.CUTOVER_SHUTDOWN_GRACE_SECONDS * 1000,
  }));
  return { title: 'Worker', variables, schema };
}

/** The stack on this machine. A port that is null is chosen free and remembered. */
export function stackSchema(cwd: string, defaults: { stateDir: string; cacheDir: string }) {
  const anyPort = (what: string) => setting(port(), { about: `Port of ${what}; unset: a free one, remembered`, default: null });
  const variables = z.object({
    CUTOVER_STATE_DIR: setting(path(cwd), { about: 'Data of the embedded stack', default: defaults.stateDir, shown: '.cutover' }),
    CUTOVER_CACHE_DIR: setting(path(cwd), {
      about: 'Programs that were built or downloaded, shared by all projects',
      default: defaults.cacheDir,
      shown: '~/.cache/cutover',
    }),
    CUTOVER_TEMPORAL_PORT: anyPort('the embedded Temporal'),
    CUTOVER_TEMPORAL_UI_PORT: anyPort('its web UI'),
    CUTOVER_SUPABASE_PORT: anyPort('the embedded Supabase'),
    CUTOVER_POSTGRES_PORT: anyPort('the embedded PostgreSQL'),
  });
  const schema = variables.transform((v) => ({
    stateDir: v.CUTOVER_STATE_DIR,
    cacheDir: v.CUTOVER_CACHE_DIR,
    temporalPort: v.CUTOVER_TEMPORAL_PORT,
    temporalUiPort: v.CUTOVER_TEMPORAL_UI_PORT,
    supabasePort: v.CUTOVER_SUPABASE_PORT,
    postgresPort: v.CUTOVER_POSTGRES_PORT,
  }));
  return { title: 'The stack on this machine', variables, schema };
}

/** What is written to the terminal and to logs. */
export function logSchema() {
  const variables = z.object({
    CUTOVER_LOG_LEVEL: setting(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), {
      about: 'Least level that is logged',
      default: 'info',
    }),
    CUTOVER_DEBUG: setting(boolean(), { about: 'Print the stack of an unexpected error', default: false }),
    NO_COLOR: setting(text(), { about: 'Any value: no colours (no-color.org)', default: null }),
  });
  const schema = variables.transform((v) => ({ level: v.CUTOVER_LOG_LEVEL, debug: v.CUTOVER_DEBUG, color: v.NO_COLOR === null }));
  return { title: 'Output', variables, schema };
}
