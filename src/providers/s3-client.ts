import { Readable } from 'node:stream';
import { type $Command, S3Client, type S3ClientResolvedConfig, type ServiceInputTypes, type ServiceOutputTypes } from '@aws-sdk/client-s3';
import { FileManagementError } from '../domain/errors.ts';
import { classifyAnswer, type Failure } from './classify.ts';
import type { Operation, Speaker } from './failure.ts';
import { createHttp, type HttpStream } from './http.ts';
import type { CallTimeouts, Limits } from './watchdog.ts';

export interface S3Settings {
  /** Of a compatible storage; null: Amazon's own. */
  endpoint: string | null;
  region: string;
  /** Both null: Amazon's default chain (profile, role of the machine). */
  accessKeyId: string | null;
  secretAccessKey: string | null;
  sessionToken: string | null;
  forcePathStyle: boolean;
}

export interface S3Call {
  operation: Operation;
  signal: AbortSignal;
  limits: Limits;
  /** In place of the command's own, which knows no plain streams; of the command's ContentLength. */
  body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Of that body, in lower-case hex. It is signed, so that the server checks it and the body needs no chunks with signatures. */
  sha256?: string;
  /** Takes the answer's body, which the command's output then lacks. */
  stream?: { timeouts: CallTimeouts; take(stream: HttpStream): void };
}

type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<
  I,
  O,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

/** What the SDK hands to the transport. */
interface SignedRequest {
  method: string;
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

export interface S3 {
  /** One attempt. Errors are FileManagementErrors, or the signal's reason. */
  send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(command: Command<I, O>, call: S3Call): Promise<O>;
  /** The error for something that only the caller can see. */
  failure(operation: Operation, failure: Failure): FileManagementError;
}

const AMAZON = 'https://s3.amazonaws.com';

/**
 * Amazon's SDK builds, signs and reads; our transport carries, so that S3 has the limits, the abort and the classification of all
 * other vendors. The SDK's own retries are off.
 */
export function createS3Client({ endpoint, ...settings }: S3Settings, speaker: Speaker): S3 {
  const http = createHttp({ base: new URL(endpoint ?? AMAZON), headers: {}, speaker });
  const client = new S3Client({
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    ...(endpoint === null ? {} : { endpoint }),
    // An address from Amazon's own variables would be another account than ours says.
    ignoreConfiguredEndpointUrls: true,
    disableS3ExpressSessionAuth: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    ...credentialsOf(settings),
    requestHandler: { handle: (request: SignedRequest, call: S3Call) => handle(request, call) },
  });
  // In the place of the SDK's retries, which would write into our errors.
  client.middlewareStack.add((next) => next, { name: 'retryMiddleware', step: 'finalizeRequest', priority: 'high', override: true });

  async function handle(request: SignedRequest, call: S3Call) {
    const { operation, signal, limits, stream } = call;
    const exchange = {
      operation,
      method: request.method as 'GET',
      origin: `${request.protocol}//${request.hostname}${request.port === undefined ? '' : `:${request.port}`}`,
      path: request.path + queryOf(request.query),
      headers: request.headers,
      signal,
    };
    if (stream !== undefined) {
      const answer = await http.stream({
        ...exchange,
        headers: { ...request.headers, 'accept-encoding': 'identity' },
        timeouts: stream.timeouts,
      });
      stream.take(answer);
      return { response: { statusCode: answer.status, headers: answer.headers, body: Readable.from([]) } };
    }
    const body = call.body ?? request.body;
    const answer = await http.call({ ...exchange, ...(body === undefined ? {} : { body }), limits });
    return { response: { statusCode: answer.status, headers: answer.headers, body: Buffer.from(answer.text) } };
  }

  return {
    failure: http.failure,
    async send(command, call) {
      if (call.sha256 !== undefined) signBody(command, call.sha256);
      try {
        // Handed on to `handle` as it is; the SDK's type knows its own transports' options alone.
        const options: object = call;
        return await client.send(command, options);
      } catch (error) {
        call.signal.throwIfAborted();
        if (error instanceof FileManagementError) throw error;
        const failure = failureOf(error);
        throw failure === null ? error : http.failure(call.operation, failure);
      }
    },
  };
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }: Omit<S3Settings, 'endpoint'>) {
  if (accessKeyId === null || secretAccessKey === null) return {};
  return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) } };
}

function signBody<I extends ServiceInputTypes, O extends ServiceOutputTypes>(command: Command<I, O>, sha256: string): void {
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as SignedRequest).headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'signBody' },
  );
}

/** As they were signed: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function queryOf(query: SignedRequest['query']): string {
  const escaped = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = Object.keys(query)
    .sort()
    .flatMap((name) => [query[name] ?? ''].flat().map((value) => `${escaped(name)}=${escaped(value)}`));
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** What an error of the SDK itself means: an answer of 200 that tells of an error, one that cannot be read, no credentials. */
function failureOf(error: unknown): Failure | null {
  const { name, message, $metadata } = error as { name?: string; message?: string; $metadata?: { httpStatusCode?: number } };
  if (name === 'CredentialsProviderError') return { kind: 'refused', code: 'unauthorized', retryable: false, detail: message ?? name };
  if ($metadata?.httpStatusCode === undefined) return null;
  return classifyAnswer({
    status: $metadata.httpStatusCode,
    word: name ?? '',
    message: message?.split('\n')[0] ?? '',
    retryAfterMs: undefined,
  });
}
