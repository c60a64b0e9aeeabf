import {
  DuplicateFileError,
  FileNotFoundError,
  LedgerError,
  ProviderNotFoundError,
  ProviderUnavailableError,
  ValidationError,
} from './errors.ts';

/** What a process of ours answers to the shell. The README documents them. */
export const EXIT = {
  ok: 0,
  /** The work was done, but something in it failed. */
  failed: 1,
  /** Wrong usage or input: repeating the same command cannot help. */
  usage: 2,
  /** Temporal or Supabase could not be reached, or refused us. */
  unavailable: 3,
  /** Ctrl-C: detached; what was started goes on. */
  interrupted: 130,
} as const;

const USAGE = [ValidationError, FileNotFoundError, ProviderNotFoundError, DuplicateFileError];
const UNAVAILABLE = [LedgerError, ProviderUnavailableError];

/** The exit code for anything that was thrown. */
export function exitCodeFor(error: unknown): number {
  if (UNAVAILABLE.some((kind) => error instanceof kind)) return EXIT.unavailable;
  return USAGE.some((kind) => error instanceof kind) ? EXIT.usage : EXIT.failed;
}
