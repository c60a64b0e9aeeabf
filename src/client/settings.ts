import { providerQueue, type UploadSettings } from '../../workflows/contract.ts';
import type { Config } from '../config/index.ts';
import { type ModelKind, timeLimitsFor } from '../domain/time-limits.ts';

/** How long a claim lasts without being renewed: longer than a worker's restart, shorter than a person's patience. */
const LEASE_SECONDS = 60;

export type SettingsConfig = Pick<Config, 'files' | 'operations' | 'providers' | 'temporal'>;

/**
 * What workflows need of the configuration: it travels as input, because they may not read the environment.
 * @throws ValidationError `unknown_model`
 */
export function uploadSettings(
  { files, operations, providers, temporal }: SettingsConfig,
  provider: string,
  model: ModelKind = 'standard',
): UploadSettings {
  return {
    localLimitBytes: files.localLimitBytes,
    minBytesPerSecond: files.minBytesPerSecond,
    activityTimeoutMs: timeLimitsFor(operations, operations.multipliers, model).daemonMs,
    ...(model === 'standard' ? {} : { model }),
    leaseSeconds: LEASE_SECONDS,
    ...(uploadsPerSecond(providers, provider) === null ? {} : { providerQueue: providerQueue(temporal.taskQueue, provider) }),
  };
}

/** The rate that all workers share; null: none. */
export function uploadsPerSecond(providers: Config['providers'], provider: string): number | null {
  const { breaker: _, smartHandler: __, ...vendors } = providers;
  return Object.entries(vendors).find(([name]) => name === provider)?.[1].uploadsPerSecond ?? null;
}
