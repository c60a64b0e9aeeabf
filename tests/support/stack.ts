import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';
import { type Stack, type StackOptions, startStack } from '../../src/stack/stack.ts';

declare module 'vitest' {
  /** What tests inject of the one stack that runs during the whole test run: real servers with our migrations, no worker. */
  interface ProvidedContext {
    temporal: { address: string; uiUrl: string };
    /** `secretKey` is service_role's, as `apikey` and as bearer token; `jwtSecret` signs tokens, also for a PostgREST. */
    supabase: { url: string; secretKey: string; publishableKey: string; jwtSecret: string };
    /** The embedded PostgreSQL, as its superuser. */
    postgresUrl: string;
    stateDir: string;
  }
}

/** The environment for a stack of its own: nothing of the machine's configuration but where programs and caches are. */
export function cleanEnv(stateDir: string, more: Record<string, string> = {}): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => /^(PATH|HOME|TMPDIR|XDG_CACHE_HOME|GO[A-Z]*)$/.test(name));
  return { ...Object.fromEntries(kept), CUTOVER_STATE_DIR: stateDir, ...more };
}

/** A folder of its own for a test; remove it with the function that comes with it. */
export function scratchFolder(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `cutover-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** Starts a stack of its own in a folder, apart from the shared one. */
export function startOwnStack(stateDir: string, env: Record<string, string> = {}, options: Partial<StackOptions> = {}): Promise<Stack> {
  const clean = cleanEnv(stateDir, env);
  return startStack({ config: loadConfig({ env: clean, cwd: stateDir }), env: clean, cwd: stateDir, ...options });
}
