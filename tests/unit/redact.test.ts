import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../src/observability/redact.ts';

const redacted = createRedactor([]);

describe('What looks like a secret is hidden', () => {
  test.each([
    ['a bearer token', 'authorization: Bearer abc.DEF-123_456=', 'authorization: Bearer ***'],
    ['a key of Supabase', 'key sb_secret_abcDEF123 is wrong', 'key *** is wrong'],
    ['an access key of AWS', 'AKIAIOSFODNN7EXAMPLE has no rights', '*** has no rights'],
    ['a key of OpenAI', '401: sk-proj-abcdefghijklmnop', '401: ***'],
    ['a key of Anthropic', '"sk-ant-api03-abcdefghij"', '"***"'],
    ['a key of Google', 'x AIzaSyA1234567890abcdefghijklmno y', 'x *** y'],
    ['a JSON web token', 'eyJhbGciOiJI.eyJyb2xlIjoi.c2lnbmF0dXJl!', '***!'],
    ['a password in an address', 'postgres://ann:hunter2@db:5432/x', 'postgres://***@db:5432/x'],
    ['a signature in an address', 'GET /o?a=1&X-Amz-Signature=abc123&b=2', 'GET /o?a=1&X-Amz-Signature=***&b=2'],
    ['a token in an address', 'http://x/sign/f?token=abc', 'http://x/sign/f?token=***'],
    ['a field of that name', '{"headers":{"apikey":"abc","accept":"*/*"}}', '{"headers":{"apikey":"***","accept":"*/*"}}'],
    [
      'a field in JSON in a string',
      String.raw`{"msg":"refused {\"authorization\":\"abc\"}"}`,
      String.raw`{"msg":"refused {\"authorization\":\"***\"}"}`,
    ],
  ])('%s', (_, said, shown) => {
    expect(redacted(said)).toBe(shown);
  });
});

test.each([
  'uploaded report.pdf to supabase in 12 ms',
  'Bearer authentication is not supported',
  'sk-short',
  'http://127.0.0.1:9464/metrics',
  '{"workflowId":"upload:0f3e","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}',
  'the token has ended',
])('Ordinary words stay: %s', (said) => expect(redacted(said)).toBe(said));

describe('A secret of the configuration is hidden', () => {
  const secret = 'a/b "c"\\d+e=';
  const known = createRedactor([secret, `${secret}-and-more`, 'short']);

  test('as it is, as it stands in an address, and as it stands in JSON', () => {
    expect(known(`[${secret}] [${encodeURIComponent(secret)}] [${JSON.stringify({ value: secret })}]`)).toBe(
      '[***] [***] [{"value":"***"}]',
    );
  });

  test('whole, where another secret is its beginning', () => expect(known(`${secret}-and-more`)).toBe('***'));

  test('unless it is so short that it is in ordinary words', () => expect(known('a short text')).toBe('a short text'));
});
