import { ConfigError } from '../config/index.ts';
import { FileManagementError, hasCode, messageOf } from '../domain/errors.ts';
import { EXIT, exitCodeFor } from '../domain/exit-code.ts';

/** No server was known, so that nothing was begun. */
export const isUnknown = (error: unknown): boolean => hasCode(error, 'temporal_unknown', 'supabase_unknown');
/** Where asking again with a configuration that is read anew may help. */
export const isUnreachable = (error: unknown): boolean => isUnknown(error) || hasCode(error, 'temporal_unreachable', 'unreachable');

/** What a caller is told: the message, its cause where that is no mistake of theirs, the code, and whether to try again. No stack. */
export function describeToolError(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (!(error instanceof FileManagementError))
    return `Unexpected: ${messageOf(error)}. This looks like a bug in Cutover; the server's log has more.`;
  const cause = error.cause === undefined ? '' : messageOf(error.cause);
  const adds = exitCodeFor(error) !== EXIT.usage && cause !== '' && !error.message.includes(cause);
  return [error.message, ...(adds ? [`Caused by: ${cause}`] : []), `(code ${error.code}; ${againOf(error)})`].join('\n');
}

function againOf(error: FileManagementError): string {
  const { retryable, retryAfterMs } = error;
  if (isUnreachable(error)) return 'call again when that is settled';
  if (!retryable) return 'the same call again cannot help';
  return retryAfterMs === undefined ? 'the same call again may help' : `try again in ${Math.ceil(retryAfterMs / 1000)} s`;
}
