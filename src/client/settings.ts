import type { UploadSettings } from '../../workflows/contract.ts';
import type { Config } from '../config/index.ts';

/** How long a claim lasts without being renewed: longer than a worker's restart, shorter than a person's patience. */
const LEASE_SECONDS = 60;

/** What workflows need of the configuration: it travels as input, because they may not read the environment. */
export function uploadSettings({ files, operations }: Pick<Config, 'files' | 'operations'>): UploadSettings {
  return {
    localLimitBytes: files.localLimitBytes,
    minBytesPerSecond: files.minBytesPerSecond,
    activityTimeoutMs: operations.daemonMs,
    leaseSeconds: LEASE_SECONDS,
  };
}
