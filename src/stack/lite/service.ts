import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { entryPoint } from '../paths.ts';
import type { Secrets } from '../secrets.ts';
import type { ServiceSpec } from '../service.ts';
import { StackError } from '../stack-error.ts';
import { STOP_ORDER } from '../stop-order.ts';

/** What the child process is told over its IPC channel: never in its arguments, which everybody can read. */
export const LiteSettings = z.object({
  port: z.number(),
  postgresUrl: z.string(),
  objects: z.string(),
  /** Folders whose disks can run full, for messages. */
  databaseFolder: z.string(),
  migrations: z.string(),
  jwtSecret: z.string(),
  secretKey: z.string(),
  publishableKey: z.string(),
});
export type LiteSettings = z.infer<typeof LiteSettings>;

/** What it tells: that it serves, or that it cannot and why. */
export const LiteMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), migrated: z.array(z.string()) }),
  z.object({ type: z.literal('failed'), code: z.enum(['migration_failed', 'disk_full']), message: z.string() }),
]);
export type LiteMessage = z.infer<typeof LiteMessage>;

export interface LiteOptions extends Pick<Secrets, 'jwtSecret' | 'secretKey' | 'publishableKey'>, LiteSettings {
  env: Readonly<Record<string, string | undefined>>;
}

/** Supabase Lite over the embedded PostgreSQL, in a process of its own because losing the database crashes it. */
export function liteService({ env, ...settings }: LiteOptions, onMigrated: (names: string[]) => void): ServiceSpec {
  return {
    name: 'supabase',
    stopOrder: STOP_ORDER.supabase,
    stopSignal: 'SIGTERM',
    stopWithinMs: 10_000,
    readyWithinMs: 120_000,
    launch: (log) => {
      const child = fork(entryPoint('./child', import.meta.url), [], {
        execArgv: [],
        env: { PATH: env.PATH, LITE_TELEMETRY: '0', NODE_ENV: 'production' },
        stdio: ['ignore', log, log, 'ipc'],
        detached: true,
      });
      child.send(settings, () => {});
      return child;
    },
    ready: async (child, signal) => {
      const message = LiteMessage.parse(await nextMessage(child, signal));
      if (message.type === 'failed') throw new StackError(message.code, message.message);
      if (message.migrated.length > 0) onMigrated(message.migrated);
    },
  };
}

async function nextMessage(child: ChildProcess, signal: AbortSignal): Promise<unknown> {
  const [message] = await once(child, 'message', { signal });
  return message;
}
