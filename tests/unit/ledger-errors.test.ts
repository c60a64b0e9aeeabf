import { describe, expect, it } from 'vitest';
import { FileNotFoundError, LedgerError, ValidationError } from '../../src/domain/errors.ts';
import { type FailedCall, ledgerError } from '../../src/ledger/ledger-errors.ts';

const failed = (call: Partial<FailedCall>) => ledgerError({ operation: 'claim_upload', server: 'http://db', status: 400, ...call });

describe('An answer of the Data API', () => {
  it.each<[string, Partial<FailedCall>, string, boolean, RegExp]>([
    [
      'no connection',
      { status: 0, cause: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) },
      'unreachable',
      true,
      /ECONNREFUSED.*SUPABASE_URL/,
    ],
    [
      'a broken connection',
      { status: 0, cause: new TypeError('x', { cause: Object.assign(new Error('y'), { code: 'ECONNRESET' }) }) },
      'unreachable',
      true,
      /ECONNRESET/,
    ],
    [
      'no answer in time',
      { status: 0, cause: Object.assign(new Error('no'), { code: 'UND_ERR_HEADERS_TIMEOUT' }) },
      'timeout',
      true,
      /in time/,
    ],
    ['a wrong key', { status: 401, message: 'Invalid API key' }, 'unauthorized', false, /SUPABASE_SECRET_KEY/],
    ['an expired key', { status: 401, code: 'PGRST301', message: 'JWT expired' }, 'unauthorized', false, /JWT expired/],
    ['a key without rights', { status: 403, code: '42501' }, 'unauthorized', false, /SUPABASE_SECRET_KEY/],
    ['a missing function', { status: 404, code: 'PGRST202' }, 'schema_missing', false, /supabase db push/],
    ['a missing table', { status: 404, code: '42P01' }, 'schema_missing', false, /cutover up/],
    ['a full disk', { status: 503, code: '53100' }, 'insufficient_storage', false, /full/],
    ['too many connections', { status: 503, code: '53300' }, 'ledger_failed', true, /http:\/\/db/],
    ['a deadlock', { status: 500, code: '40P01' }, 'ledger_failed', true, /claim_upload/],
    ['a cancelled statement', { status: 500, code: '57014' }, 'timeout', true, /too long/],
    ['a gateway’s page', { status: 502 }, 'ledger_failed', true, /HTTP 502/],
    ['too many requests', { status: 429 }, 'rate_limited', true, /slow down/],
    ['another server’s page', { status: 404 }, 'unexpected_answer', false, /SUPABASE_URL/],
    ['a redirect', { status: 307 }, 'unexpected_answer', false, /SUPABASE_URL/],
    ['a conflict that we raised', { status: 409, code: 'PT409', details: 'size_mismatch' }, 'size_mismatch', false, /refused/],
    ['an unknown SQLSTATE', { code: '22012', message: 'division by zero' }, 'ledger_refused', false, /22012/],
  ])('that is %s becomes a LedgerError that says what to do', (_, call, code, retryable, message) => {
    const error = failed(call);
    expect(error).toBeInstanceOf(LedgerError);
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/undefined|null|\n/);
  });

  it.each(['22P02', '23514', '23502', '54000', 'PT400'])('that refuses a value (%s) is the caller’s mistake', (code) => {
    expect(failed({ code, message: 'bad' })).toBeInstanceOf(ValidationError);
    expect(failed({ code, message: 'bad' })).toMatchObject({ retryable: false });
  });

  it('that knows no such row is a FileNotFoundError', () => {
    expect(failed({ status: 404, code: 'PT404', details: 'file_not_found', message: 'the ledger has no file x' })).toBeInstanceOf(
      FileNotFoundError,
    );
  });
});
