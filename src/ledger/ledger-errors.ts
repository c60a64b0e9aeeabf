import { type FileManagementError, FileNotFoundError, LedgerError, ValidationError } from '../domain/errors.ts';

/** An answer that is no success, or none at all (status 0). Codes are PostgREST's (PGRST…) or PostgreSQL's SQLSTATE. */
export interface FailedCall {
  /** The function that was called. */
  operation: string;
  /** The server's address without path or credentials. */
  server: string;
  status: number;
  code?: string | undefined;
  message?: string | undefined;
  details?: string | null | undefined;
  hint?: string | null | undefined;
  cause?: unknown;
}

/** SQLSTATEs with which the same call can succeed a moment later (PostgreSQL, appendix A). */
const PASSING = new Set(['40P01', '53300', '55P03', '57014', '57P01', '57P02', '57P03', '58030']);
const REFUSED_VALUES = new Set(['PT400', '22001', '22003', '22007', '22021', '22023', '22P02', '22P05', '23502', '23514', '54000']);
const MISSING = new Set(['PGRST202', 'PGRST205', '42P01', '42883']);

/** The one place where answers of the Data API become errors of ours. Never contains the key. */
export function ledgerError(call: FailedCall): FileManagementError {
  const { operation, server, status, code = '', cause } = call;
  const said = [call.message, call.hint].filter((part) => part != null && part !== '').join('. ') || `HTTP ${status}`;
  const error = (errorCode: string, retryable: boolean, message: string) => new LedgerError(message, { code: errorCode, retryable, cause });

  if (status === 0) return unreachable(call);
  if (code === 'PT404') return new FileNotFoundError(`${said} (${server})`, { code: call.details ?? 'not_found', cause });
  if (REFUSED_VALUES.has(code))
    return new ValidationError(`The ledger refused what ${operation} was given: ${said}`, {
      code: code === 'PT400' && call.details ? call.details : 'invalid_value',
      cause,
    });
  if (code === 'PT409') return error(call.details ?? 'conflict', false, `The ledger refused ${operation}: ${said}`);
  if (code === '53100')
    return error('insufficient_storage', false, `The disk of the ledger's database at ${server} is full: free some space and try again`);
  if (MISSING.has(code))
    return error(
      'schema_missing',
      false,
      `The database at ${server} lacks the ledger's tables or functions, or has older ones (${said}): run \`supabase db push\`, or start \`npx cutover up\``,
    );
  if (status === 401 || status === 403 || /^PGRST30\d$/.test(code) || code === '42501')
    return error(
      'unauthorized',
      false,
      `The ledger at ${server} refused the key (${said}): set SUPABASE_SECRET_KEY to the secret (or service_role) key of that project`,
    );
  if (status === 429) return error('rate_limited', true, `The ledger at ${server} asks to slow down (${said})`);
  if (code === '57014' || status === 504 || status === 408)
    return error('timeout', true, `The ledger at ${server} took too long for ${operation} (${said})`);
  if (status >= 500 || PASSING.has(code)) return error('ledger_failed', true, `The ledger at ${server} failed in ${operation}: ${said}`);
  if (code === '')
    return error('unexpected_answer', false, `${server} does not answer like a Supabase project (HTTP ${status}): check SUPABASE_URL`);
  return error('ledger_refused', false, `The ledger at ${server} refused ${operation}: ${said} (${code})`);
}

function unreachable({ operation, server, cause }: FailedCall): LedgerError {
  const code = codeOf(cause);
  if (/TIMEOUT|TimeoutError/.test(code))
    return new LedgerError(`The ledger at ${server} did not answer ${operation} in time`, { code: 'timeout', retryable: true, cause });
  return new LedgerError(`The ledger at ${server} cannot be reached (${code}): check SUPABASE_URL, or start \`npx cutover up\``, {
    code: 'unreachable',
    retryable: true,
    cause,
  });
}

/** ECONNREFUSED, UND_ERR_HEADERS_TIMEOUT, …: of the error or of one of those it was caused by. */
function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'no connection';
  const { code } = cause as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  return cause.cause === undefined ? cause.name : codeOf(cause.cause);
}
