import { expect, test } from 'vitest';
import { classifyAnswer, readErrorAnswer } from '../../src/providers/classify.ts';

const anthropic = (type: string, message: string) => ({ type: 'error', error: { type, message }, request_id: 'req_1' });
const gemini = (code: number, status: string, message: string) => ({ error: { code, message, status } });
const GONE = 'You do not have permission to access the File abc or it may not exist.';

test.each([
  [400, anthropic('invalid_request_error', 'file_not_downloadable: it was uploaded'), 'not_downloadable', 'invalid', false],
  [400, anthropic('invalid_request_error', 'storage_quota_exceeded'), 'quota_exceeded', 'refused', false],
  [401, anthropic('authentication_error', 'invalid x-api-key'), 'unauthorized', 'refused', false],
  [403, anthropic('permission_error', 'not yours'), 'unauthorized', 'refused', false],
  [404, anthropic('not_found_error', 'File not found'), 'not_found', 'missing', false],
  [413, anthropic('request_too_large', 'too large'), 'file_too_large', 'invalid', false],
  [429, anthropic('rate_limit_error', 'slow'), 'rate_limited', 'unavailable', true],
  [500, anthropic('api_error', 'x'), 'server_error', 'unavailable', true],
  [529, anthropic('overloaded_error', 'Overloaded'), 'server_error', 'unavailable', true],
  [400, gemini(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.'), 'unauthorized', 'refused', false],
  [400, gemini(400, 'INVALID_ARGUMENT', 'the offset is wrong'), 'rejected', 'refused', false],
  [403, gemini(403, 'PERMISSION_DENIED', GONE), 'not_found', 'missing', false],
  [403, gemini(403, 'PERMISSION_DENIED', 'The caller does not have permission'), 'unauthorized', 'refused', false],
  [429, gemini(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded'), 'rate_limited', 'unavailable', true],
  [503, gemini(503, 'UNAVAILABLE', 'overloaded'), 'unavailable', 'unavailable', true],
])('%i %j of Anthropic or Gemini means %s', (status, body, code, kind, retryable) => {
  const answer = readErrorAnswer(status, {}, JSON.stringify(body), 0);
  expect(classifyAnswer(answer)).toMatchObject({ code, kind, retryable });
});
