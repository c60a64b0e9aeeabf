import { note } from './request-context.ts';

interface DatabaseError {
  code?: unknown;
  message?: string;
  detail?: string | undefined;
  hint?: string | undefined;
}

/** PostgREST's table of HTTP statuses by SQLSTATE: the whole code first, then its class (docs.postgrest.org, Errors). */
const STATUS: Readonly<Record<string, number>> = {
  '08': 503,
  '09': 500,
  '0L': 403,
  '0P': 403,
  '23': 400,
  '25': 500,
  '28': 403,
  '2D': 500,
  '38': 500,
  '39': 500,
  '3B': 500,
  '40': 500,
  '53': 503,
  '53400': 500,
  '54': 500,
  '55': 500,
  '57': 500,
  '58': 500,
  F0: 500,
  HV: 500,
  P0: 500,
  P0001: 400,
  XX: 500,
};
/** Of the driver and of the operating system: the server is gone. PostgREST answers 503 with its own code. */
const CONNECTION_LOST = /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONN(REFUSED|RESET)|EPIPE|57P0[123])$/;
/** What 0.10.0 answers as PostgREST does. */
const RIGHT_ALREADY = /^(PGRST|PT|42|22|21)|^(23502|23503|23505|25006)$/;

/** The HTTP status that PostgREST would answer for an SQLSTATE which Lite does not know; null where Lite is right. */
export function missingStatus(sqlState: string): number | null {
  if (!/^[0-9A-Z]{5}$/.test(sqlState) || RIGHT_ALREADY.test(sqlState)) return null;
  return STATUS[sqlState] ?? STATUS[sqlState.slice(0, 2)] ?? 400;
}

/**
 * Fault of 0.10.0: a violated CHECK, a raised exception and others come as 500 with the code "SUP". Dressed as an error that the
 * function itself has formed for PostgREST, they come with their own code, message, details, hint and PostgREST's status.
 */
export function normalizeDatabaseError(error: unknown, databaseFolder: string): unknown {
  const { code, message, detail, hint } = (error ?? {}) as DatabaseError;
  if (typeof code !== 'string') return error;
  if (CONNECTION_LOST.test(code)) return dressed('PGRST001', 'The database cannot be reached now; it is being restarted', 503, {});
  const full = code === '53100';
  if (full) note({ kind: 'disk_full', message: `no space left in ${databaseFolder}` });
  const status = missingStatus(code);
  if (status === null) return error;
  const shown = full ? `no space left in ${databaseFolder} (${message})` : message;
  return dressed(code, shown, status, { detail, hint });
}

/** The form in which Lite, as PostgREST, takes an answer from a function: RAISE SQLSTATE 'PGRST'. */
function dressed(code: string, message: string | undefined, status: number, { detail, hint }: Pick<DatabaseError, 'detail' | 'hint'>) {
  return {
    code: 'PGRST',
    message: JSON.stringify({ code, message: message ?? '', details: detail ?? null, hint: hint ?? null }),
    detail: JSON.stringify({ status, headers: {} }),
  };
}
