import { CommanderError } from 'commander';
import { FileManagementError, messageOf, ValidationError } from '../domain/errors.ts';
import { EXIT, exitCodeFor } from '../domain/exit-code.ts';
import { StackError } from '../stack/stack-error.ts';

/** A command was used wrongly: the message says what to do. */
export class UsageError extends ValidationError {
  constructor(message: string) {
    super(message, { code: 'usage' });
  }
}

/** What the user of a stack can settle by another command or setting. */
const STACK_USAGE: ReadonlySet<string> = new Set(['already_running', 'port_taken', 'state_unusable', 'disk_full']);

/** The exit code for anything that was thrown. Once the signal came, what fails then fails because of it. */
export function exitCodeOf(error: unknown, signal?: AbortSignal): number {
  if (signal?.aborted === true) return EXIT.interrupted;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof StackError) return STACK_USAGE.has(error.code) ? EXIT.usage : EXIT.unavailable;
  return exitCodeFor(error);
}

/**
 * What a person is told: for errors of ours the message, and the cause where it is not a mistake of theirs, without a stack; for
 * anything else that it is a bug, with the stack on request.
 */
export function describeError(error: unknown, options: { debug: boolean }): string {
  if (error instanceof FileManagementError) {
    const cause = error.cause === undefined ? '' : messageOf(error.cause);
    const adds = exitCodeOf(error) !== EXIT.usage && cause !== '' && !error.message.includes(cause);
    return `${error.message}${adds ? `\n  caused by: ${cause}` : ''}${options.debug ? `\n${error.stack}` : ''}`;
  }
  if (!options.debug)
    return `Unexpected: ${messageOf(error)}\n  This looks like a bug in cutover. CUTOVER_DEBUG=1 prints where it happened.`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
