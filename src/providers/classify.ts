/**
 * What an answer or a broken connection means, in one table for all vendors: first rule that fits counts. A vendor's own
 * words go before its status, because Supabase (and others) answer 400 with the true status inside the body.
 */

/** A Retry-After beyond this is cut: one answer must not stop a queue for a day. */
export const RETRY_AFTER_CAP_MS = 60_000;

/**
 * - `missing`: the object is not there. `invalid`: the caller's file or arguments can never be taken.
 * - `refused`: by configuration or capacity; somebody must act. `unavailable`: the server or the network is; later can be different.
 * - `broken`: the connection broke or stalled on the way.
 */
export type FailureKind = 'missing' | 'invalid' | 'refused' | 'unavailable' | 'broken';

export interface Failure {
  kind: FailureKind;
  /** Stable, in snake case. */
  code: string;
  retryable: boolean;
  retryAfterMs?: number | undefined;
  /** What the other side said, on one line. */
  detail: string;
}

/** An error answer, as the body tells of it where it does. */
export interface ErrorAnswer {
  /** The true status: the one inside the body where there is one. */
  status: number;
  /** The vendor's own word: `NoSuchKey`. */
  word: string;
  message: string;
  retryAfterMs: number | undefined;
  /** What the other side itself says of a retry (`x-should-retry`), where it does. */
  shouldRetry?: boolean | undefined;
}

interface Rule {
  code: string;
  kind: FailureKind;
  retryable: boolean;
  /** In the vendor's word or message. */
  words?: RegExp;
  /** The vendor's word as a whole: numbers would be found in many a message. */
  word?: RegExp;
  status?: (status: number) => boolean;
}

const is =
  (...wanted: number[]) =>
  (status: number) =>
    wanted.includes(status);

const RULES: readonly Rule[] = [
  // GLM's 1113 comes as 429, and no waiting fills an account.
  {
    code: 'insufficient_balance',
    kind: 'refused',
    retryable: false,
    word: /^(1113|insufficient_quota|exceeded_current_quota_error|billing_error)$/,
  },
  // Kimi's three kinds of 400 differ in their message alone.
  {
    code: 'quota_exceeded',
    kind: 'refused',
    retryable: false,
    words: /exceeded the max file count|storage limit exceeded|QuotaExceeded|storage_quota_exceeded/i,
  },
  { code: 'file_empty', kind: 'invalid', retryable: false, words: /File size is zero|file is empty/i },
  { code: 'not_downloadable', kind: 'invalid', retryable: false, words: /file_not_downloadable|not allowed to download/i },
  {
    code: 'insufficient_storage',
    kind: 'refused',
    retryable: false,
    words: /\bENOSPC\b|InsufficientStorage|no space left on device|disk[ _]full/i,
    status: is(507),
  },
  {
    code: 'file_too_large',
    kind: 'invalid',
    retryable: false,
    words: /EntityTooLarge|Payload too large|File size is too large|request_too_large/i,
    status: is(413, 435),
  },
  { code: 'unsupported_media_type', kind: 'invalid', retryable: false, words: /invalid_?mime_?type/i, status: is(415) },
  { code: 'range_not_satisfiable', kind: 'invalid', retryable: false, words: /invalid_?range/i, status: is(416) },
  { code: 'bucket_not_empty', kind: 'invalid', retryable: false, words: /BucketNotEmpty|bucket[^.]* (is )?not empty/i },
  { code: 'bucket_exists', kind: 'invalid', retryable: false, words: /BucketAlready(Exists|OwnedByYou)/ },
  { code: 'bucket_not_found', kind: 'refused', retryable: false, words: /NoSuchBucket|Bucket not found/i },
  // Gemini answers 403 of a file that is gone, and tells it from somebody else's by nothing.
  { code: 'not_found', kind: 'missing', retryable: false, words: /NoSuchKey|NoSuchUpload|or it may not exist/, status: is(404, 410) },
  { code: 'clock_skewed', kind: 'refused', retryable: false, words: /RequestTimeTooSkewed/ },
  // S3's answers to a body that is not what its headers say: the same bytes can arrive next time.
  { code: 'damaged_on_the_way', kind: 'broken', retryable: true, words: /BadDigest|XAmzContentSHA256Mismatch|IncompleteBody/ },
  {
    code: 'unauthorized',
    kind: 'refused',
    retryable: false,
    words:
      /InvalidJWT|AccessDenied|ExpiredToken|InvalidToken\b|SignatureDoesNotMatch|InvalidAccessKeyId|Invalid API key|API key not valid|API_KEY_INVALID/i,
    word: /^100[0-4]$/,
    status: is(401, 403, 434),
  },
  {
    code: 'rate_limited',
    kind: 'unavailable',
    retryable: true,
    words: /SlowDown|too_many_connections/i,
    word: /^130[2-5]$/,
    status: is(429),
  },
  { code: 'locked', kind: 'unavailable', retryable: true, words: /ResourceLocked|LockTimeout/, status: is(423) },
  { code: 'not_supported', kind: 'refused', retryable: false, words: /FeatureNotEnabled|NotSupported/, status: is(405, 501, 505) },
  { code: 'conflict', kind: 'unavailable', retryable: true, status: is(409) },
  { code: 'timeout', kind: 'unavailable', retryable: true, words: /\bRequestTimeout\b/, status: is(408, 504, 524, 544) },
  { code: 'unavailable', kind: 'unavailable', retryable: true, status: is(425, 502, 503) },
  { code: 'server_error', kind: 'unavailable', retryable: true, status: (status) => status >= 500 },
  { code: 'unexpected_answer', kind: 'refused', retryable: false, status: (status) => status < 400 },
  { code: 'rejected', kind: 'refused', retryable: false, status: () => true },
];

/** Somebody must act first: a server that says "again" of these is not believed. */
const NEVER_RETRIED = new Set(['insufficient_balance', 'quota_exceeded', 'unauthorized', 'file_too_large', 'file_empty']);

/** What an error answer means. */
export function classifyAnswer(answer: ErrorAnswer): Failure {
  const said = `${answer.word} ${answer.message}`;
  const rule = RULES.find((each) => each.words?.test(said) || each.word?.test(answer.word) || each.status?.(answer.status)) as Rule;
  const retryable = NEVER_RETRIED.has(rule.code) ? false : (answer.shouldRetry ?? rule.retryable);
  return {
    kind: rule.kind,
    code: rule.code,
    retryable,
    retryAfterMs: retryable ? answer.retryAfterMs : undefined,
    detail: `${answer.message} (HTTP ${[answer.status, answer.word].filter(Boolean).join(' ')})`.trim(),
  };
}

interface SocketRule {
  codes: RegExp;
  code: string;
  kind: FailureKind;
  retryable: boolean;
  detail: string;
  /** Only before the connection stands. */
  connecting?: true;
}

const SOCKET: readonly SocketRule[] = [
  { codes: /^ECONNREFUSED$/, code: 'connection_refused', kind: 'unavailable', retryable: true, detail: 'nothing listens there' },
  { codes: /^ENOTFOUND$|^EAI_/, code: 'host_not_found', kind: 'unavailable', retryable: true, detail: 'the host name cannot be resolved' },
  {
    codes: /^(ENETUNREACH|EHOSTUNREACH|ENETDOWN)$/,
    code: 'unreachable',
    kind: 'unavailable',
    retryable: true,
    detail: 'no route to the host',
    connecting: true,
  },
  {
    codes: /^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/,
    code: 'connect_timeout',
    kind: 'unavailable',
    retryable: true,
    detail: 'the connection was not taken in time',
    connecting: true,
  },
  {
    codes: /^(EPROTO$|ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/,
    code: 'tls',
    kind: 'refused',
    retryable: false,
    detail: 'TLS failed',
  },
  {
    codes:
      /^(ECONNRESET|EPIPE|ECONNABORTED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENETDOWN|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH|UND_ERR_INFO|HPE_|HTTPParserError)/,
    code: 'connection_broken',
    kind: 'broken',
    retryable: true,
    detail: 'the connection broke',
  },
];

/** What a socket's error means; null when it is none (then it is a mistake of ours and must not be retried). */
export function classifySocket(error: unknown): Failure | null {
  const causes: unknown[] = [error];
  for (let next = error; next instanceof Error && next.cause !== undefined && causes.length < 5; next = next.cause) causes.push(next.cause);
  // Happy eyeballs: the connection to each address failed, for the same reason as a rule.
  if (error instanceof AggregateError) causes.push(...error.errors);
  for (const cause of causes) {
    // The parser's errors of undici have a code or only a name.
    const { code, name, syscall } = (cause ?? {}) as { code?: unknown; name?: unknown; syscall?: unknown };
    const socketCode = String(code ?? name ?? '');
    // Of a connection that stood: what was sent may have arrived.
    const stood = typeof code === 'string' && (syscall === 'read' || syscall === 'write');
    const rule = SOCKET.find((each) => each.codes.test(socketCode) && !(stood && each.connecting === true));
    if (rule) return { kind: rule.kind, code: rule.code, retryable: rule.retryable, detail: `${rule.detail} (${socketCode})` };
  }
  return null;
}

/** The headers of an error answer that say something of a retry. */
export interface RetryHeaders {
  'retry-after'?: string | undefined;
  /** OpenAI: in ms. */
  'retry-after-ms'?: string | undefined;
  'x-should-retry'?: string | undefined;
}

/**
 * Reads an error body of any vendor: `{statusCode, error, message, code}` (Supabase), `{error: {type, code, message}}` (OpenAI,
 * Kimi, Anthropic, GLM), `{error: {code, status, message}}` (Gemini), `{code, message}`; anything else is quoted.
 */
export function readErrorAnswer(status: number, headers: RetryHeaders, text: string, nowMs: number): ErrorAnswer {
  const body = parseXmlError(text) ?? parseObject(text);
  const inner = typeof body.error === 'object' && body.error !== null ? (body.error as Record<string, unknown>) : {};
  const inside = Number(body.statusCode);
  // A number below 1000 repeats the status (Gemini); GLM's own begin there.
  const word = [body.code, inner.code, inner.status, inner.type, body.error]
    .map((each) => (typeof each === 'number' && each >= 1000 ? String(each) : each))
    .find((each) => typeof each === 'string' && each !== '');
  const message = [body.message, inner.message, body.msg].find((each) => typeof each === 'string' && each !== '');
  return {
    status: status >= 400 && inside >= 400 && inside < 600 ? inside : status,
    word: (word as string | undefined) ?? '',
    message: oneLine((message as string | undefined) ?? (text.trimStart().startsWith('<') ? 'answered with a web page' : text)),
    retryAfterMs: retryAfterOf(headers, nowMs),
    shouldRetry: headers['x-should-retry'] === undefined ? undefined : headers['x-should-retry'] === 'true',
  };
}

function retryAfterOf(headers: RetryHeaders, nowMs: number): number | undefined {
  const ms = headers['retry-after-ms'];
  const exact = ms === undefined ? undefined : parseRetryAfter(String(Number(ms) / 1000), nowMs);
  return exact ?? parseRetryAfter(headers['retry-after'], nowMs);
}

/** RFC 9110, 10.2.3: seconds or a date. In ms, at most RETRY_AFTER_CAP_MS; undefined when absent or unreadable. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_CAP_MS);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses */
function parseXmlError(text: string): Record<string, unknown> | null {
  const error = /^\s*(?:<\?xml[^>]*>\s*)?<Error(?:\s[^>]*)?>(.*)<\/Error>/s.exec(text)?.[1];
  if (error === undefined) return null;
  const inside = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(error)?.[1];
  return {
    code: inside('Code'),
    message: inside('Message')?.replace(/&(lt|gt|quot|apos|amp|#39|#34);/g, (_, name) => ENTITIES[name] ?? ''),
  };
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&', '#39': "'", '#34': '"' };

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 300);
