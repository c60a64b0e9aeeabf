import type { CallTimeouts } from './watchdog.ts';

/** What every provider is made with, beside its own address and key. */
export interface VendorOptions {
  /** Largest file in bytes (`<PROVIDER>_MAX_FILE_SIZE_MB`); the vendor's own limit counts where it is less. */
  maxFileBytes: number;
  timeouts: CallTimeouts;
  /** Attempts after the first (MAX_RETRY_ATTEMPTS). */
  maxRetryAttempts: number;
  /** An object that came to be twice was deleted once. */
  onSurplus?: ((id: string) => void) | undefined;
}
