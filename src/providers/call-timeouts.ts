import type { Config } from '../config/index.ts';
import { type ModelKind, type Multipliers, timeLimitsFor } from '../domain/time-limits.ts';
import type { CallTimeouts } from './watchdog.ts';

/** What the configuration allows a call and a transfer, where the file is for this kind of model. */
export const callTimeouts = ({ operations, files }: Pick<Config, 'operations' | 'files'>, model: ModelKind = 'standard'): CallTimeouts => ({
  callMs: timeLimitsFor(operations, operations.multipliers, model).toolMs,
  idleMs: files.idleTimeoutMs,
  minBytesPerSecond: files.minBytesPerSecond,
});

/** The same where the file is for this kind of model. What is bounded by its bytes stays as it is. */
export const timeoutsFor = (timeouts: CallTimeouts, multipliers: Partial<Multipliers>, model: ModelKind = 'standard'): CallTimeouts => ({
  ...timeouts,
  callMs: timeouts.callMs * (multipliers[model] ?? 1),
});
