import type { Config } from '../config/index.ts';
import type { CallTimeouts } from './watchdog.ts';

/** What the configuration allows a call and a transfer. */
export const callTimeouts = ({ operations, files }: Pick<Config, 'operations' | 'files'>): CallTimeouts => ({
  callMs: operations.toolMs,
  idleMs: files.idleTimeoutMs,
  minBytesPerSecond: files.minBytesPerSecond,
});
