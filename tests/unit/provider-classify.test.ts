import { describe, expect, test } from 'vitest';
import { classifyAnswer, classifySocket, parseRetryAfter, RETRY_AFTER_CAP_MS, readErrorAnswer } from '../../src/providers/classify.ts';

const NOW = Date.UTC(2026, 0, 1);
const classify = (status: number, body: unknown, retryAfter?: string) =>
  classifyAnswer(readErrorAnswer(status, { 'retry-after': retryAfter }, typeof body === 'string' ? body : JSON.stringify(body), NOW));

describe('an error answer', () => {
  test.each([
    // Supabase: the true status is inside the body.
    [400, { statusCode: '404', error: 'not_found', message: 'Object not found', code: 'NoSuchKey' }, 'not_found', 'missing', false],
    [400, { statusCode: '404', error: 'Bucket not found', message: 'Bucket not found' }, 'bucket_not_found', 'refused', false],
    [400, { statusCode: '413', error: 'Payload too large', message: 'too large' }, 'file_too_large', 'invalid', false],
    [
      400,
      { statusCode: '403', error: 'Unauthorized', message: 'new row violates row-level security policy' },
      'unauthorized',
      'refused',
      false,
    ],
    [400, { statusCode: '400', error: 'InvalidJWT', message: 'jwt malformed', code: 'InvalidJWT' }, 'unauthorized', 'refused', false],
    [400, { statusCode: '409', error: 'Duplicate', message: 'The resource already exists' }, 'conflict', 'unavailable', true],
    [400, { statusCode: '423', code: 'ResourceLocked', message: 'x' }, 'locked', 'unavailable', true],
    [400, { statusCode: '503', code: 'LockTimeout', message: 'x' }, 'locked', 'unavailable', true],
    [429, { statusCode: '429', code: 'SlowDown', error: 'too_many_connections', message: 'x' }, 'rate_limited', 'unavailable', true],
    [544, { statusCode: '544', code: 'DatabaseTimeout', message: 'x' }, 'timeout', 'unavailable', true],
    [400, { statusCode: '400', code: 'InvalidRange', error: 'invalid_range', message: 'x' }, 'range_not_satisfiable', 'invalid', false],
    [500, { message: 'could not extend file "base/5/1": No space left on device' }, 'insufficient_storage', 'refused', false],
    // OpenAI's shape, which Kimi and others share.
    [401, { error: { type: 'invalid_authentication_error', message: 'Invalid Authentication' } }, 'unauthorized', 'refused', false],
    [429, { error: { type: 'rate_limit_reached_error', message: 'slow' } }, 'rate_limited', 'unavailable', true],
    // Kimi's refusals of a file, which differ in their message alone.
    [
      400,
      { error: { type: 'invalid_request_error', message: 'File size is too large, max file size is 100MB, please confirm' } },
      'file_too_large',
      'invalid',
      false,
    ],
    [
      400,
      { error: { type: 'invalid_request_error', message: 'File size is zero, please confirm and re-upload' } },
      'file_empty',
      'invalid',
      false,
    ],
    [
      400,
      { error: { type: 'invalid_request_error', message: 'You have exceeded the max file count 1000' } },
      'quota_exceeded',
      'refused',
      false,
    ],
    [400, { error: { type: 'invalid_request_error', message: 'unsupported purpose' } }, 'rejected', 'refused', false],
    [401, { error: { type: 'incorrect_api_key_error', message: 'Incorrect API key provided' } }, 'unauthorized', 'refused', false],
    [429, { error: { type: 'exceeded_current_quota_error', message: 'check your plan' } }, 'insufficient_balance', 'refused', false],
    // GLM's business codes, as text and as numbers: 429 is an empty account, too.
    [429, { error: { code: '1113', message: 'the account is in arrears' } }, 'insufficient_balance', 'refused', false],
    [429, { error: { code: 1113, message: 'the account is in arrears' } }, 'insufficient_balance', 'refused', false],
    [429, { code: '1113', msg: 'the account is in arrears' }, 'insufficient_balance', 'refused', false],
    [429, { error: { code: '1302', message: 'too many at once' } }, 'rate_limited', 'unavailable', true],
    [400, { error: { code: '1000', message: 'authentication failed' } }, 'unauthorized', 'refused', false],
    [401, { error: { code: '1004', message: 'the token has expired' } }, 'unauthorized', 'refused', false],
    [400, { error: { code: '1210', message: 'wrong parameters' } }, 'rejected', 'refused', false],
    [400, { error: { code: '1214', message: 'purpose is invalid' } }, 'rejected', 'refused', false],
    [434, '', 'unauthorized', 'refused', false],
    [435, '', 'file_too_large', 'invalid', false],
    // OpenAI, and servers that say less.
    [429, { error: { type: 'insufficient_quota', code: 'insufficient_quota', message: 'x' } }, 'insufficient_balance', 'refused', false],
    [400, { error: { message: 'Not allowed to download files of purpose: assistants' } }, 'not_downloadable', 'invalid', false],
    [403, { error: { message: 'Not allowed to download files of purpose: user_data' } }, 'not_downloadable', 'invalid', false],
    [404, { error: { message: 'No such File object: file-x' } }, 'not_found', 'missing', false],
    // Proxies and gateways.
    [502, '<html><body>Bad gateway</body></html>', 'unavailable', 'unavailable', true],
    [520, '', 'server_error', 'unavailable', true],
    [507, '', 'insufficient_storage', 'refused', false],
    [501, '', 'not_supported', 'refused', false],
    [302, '', 'unexpected_answer', 'refused', false],
    [400, { message: 'no' }, 'rejected', 'refused', false],
    [418, 'null', 'rejected', 'refused', false],
  ])('%i %j means %s', (status, body, code, kind, retryable) => {
    expect(classify(status, body)).toMatchObject({ code, kind, retryable });
  });

  test('is quoted on one line with its true status, a web page is not', () => {
    expect(classify(400, { statusCode: '503', message: 'two\nlines' }).detail).toBe('two lines (HTTP 503)');
    expect(classify(502, '<html>long</html>').detail).toBe('answered with a web page (HTTP 502)');
  });

  test('is tried again as it says itself, and after the time that it gives to the millisecond', () => {
    const answer = (status: number, headers: Record<string, string>) => classifyAnswer(readErrorAnswer(status, headers, '{}', NOW));
    expect(answer(500, { 'x-should-retry': 'false' }).retryable).toBe(false);
    expect(answer(400, { 'x-should-retry': 'true' }).retryable).toBe(true);
    expect(answer(429, { 'retry-after-ms': '1250', 'retry-after': '60' }).retryAfterMs).toBe(1250);
  });

  test('keeps its Retry-After only where trying again can help', () => {
    expect(classify(429, {}, '7').retryAfterMs).toBe(7000);
    expect(classify(403, {}, '7').retryAfterMs).toBeUndefined();
  });
});

test.each([
  ['3', 3000],
  ['0', 0],
  [' 1.5 ', 1500],
  ['Thu, 01 Jan 2026 00:00:09 GMT', 9000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['86400', RETRY_AFTER_CAP_MS],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After %j is %j ms', (header, ms) => expect(parseRetryAfter(header, NOW)).toBe(ms));

describe('a broken connection', () => {
  const errno = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more });
  test.each([
    [errno('ECONNREFUSED'), 'connection_refused', true],
    [errno('ENOTFOUND'), 'host_not_found', true],
    [errno('EAI_AGAIN'), 'host_not_found', true],
    [errno('ECONNRESET'), 'connection_broken', true],
    [errno('EPIPE'), 'connection_broken', true],
    [errno('UND_ERR_SOCKET'), 'connection_broken', true],
    [errno('UND_ERR_CONNECT_TIMEOUT'), 'connect_timeout', true],
    [errno('HPE_INVALID_CONSTANT'), 'connection_broken', true],
    [errno('ETIMEDOUT', { syscall: 'connect' }), 'connect_timeout', true],
    [errno('EHOSTUNREACH', { syscall: 'connect' }), 'unreachable', true],
    // Of a connection that stood: the server may have acted, which a connection that was never taken rules out.
    [errno('ETIMEDOUT', { syscall: 'read' }), 'connection_broken', true],
    [errno('EHOSTUNREACH', { syscall: 'read' }), 'connection_broken', true],
    [errno('ENETUNREACH', { syscall: 'write' }), 'connection_broken', true],
    [errno('CERT_HAS_EXPIRED'), 'tls', false],
    [errno('EPROTO', { syscall: 'write' }), 'tls', false],
    [errno('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls', false],
    [new TypeError('fetch failed', { cause: errno('ECONNRESET') }), 'connection_broken', true],
    [new AggregateError([errno('ECONNREFUSED'), errno('ECONNREFUSED')]), 'connection_refused', true],
  ])('%s means %s', (error, code, retryable) => expect(classifySocket(error)).toMatchObject({ code, retryable }));

  test.each([new TypeError('x is not a function'), errno('UND_ERR_INVALID_ARG'), errno('ENOENT'), undefined])(
    'is not what a mistake of ours (%s) means',
    (error) => expect(classifySocket(error)).toBeNull(),
  );
});

test('x-should-retry counts where the server is the trouble, and nowhere else', () => {
  const retryable = (status: number, body: object, said: string) =>
    classifyAnswer(readErrorAnswer(status, { 'x-should-retry': said }, JSON.stringify(body), 0)).retryable;
  expect(retryable(500, {}, 'false')).toBe(false);
  expect(retryable(503, {}, 'true')).toBe(true);
  expect(retryable(429, { error: { code: 1113, message: 'no balance' } }, 'true')).toBe(false);
  expect(retryable(401, {}, 'true')).toBe(false);
});
