import type { Operation } from './failure.ts';
import type { Http } from './http.ts';

type Failing = Pick<Http, 'failure'>;

/**
 * An answer that tells of one file, which it names by `key`. Anything else is `unexpected_answer`: of an upload like an answer that
 * was lost, because the server may have acted.
 */
export function fileIn<T>(http: Failing, operation: Operation, answer: unknown, key: keyof T & string): T {
  const name = (answer as Record<string, unknown> | null | undefined)?.[key];
  if (typeof name === 'string' && name !== '') return answer as T;
  const detail = 'the answer names no file';
  const code = 'unexpected_answer';
  throw http.failure(
    operation,
    operation === 'upload' ? { kind: 'broken', code, retryable: true, detail } : { kind: 'refused', code, retryable: false, detail },
  );
}

/** The files of a listing; what is no listing must not look like an empty account. */
export function filesIn<T>(http: Failing, listed: unknown, key: keyof T & string): T[] {
  if (Array.isArray(listed)) return listed.map((file) => fileIn<T>(http, 'list', file, key));
  throw http.failure('list', { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'the answer is no list of files' });
}
