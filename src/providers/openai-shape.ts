import { hasCode } from '../domain/errors.ts';
import type { Http } from './http.ts';
import { type StoredObject, type StoredPage, storedObjectOf } from './provider.ts';

/** A file as OpenAI, Kimi and GLM tell of it. Servers that speak the same API leave some of it out. */
export interface WireFile {
  id: string;
  bytes?: number | null;
  /** Seconds since the epoch. */
  created_at?: number | null;
  filename?: string | null;
  purpose?: string | null;
  expires_at?: number | null;
}

export interface WirePage {
  data: WireFile[];
  has_more?: boolean | null;
}

/** @param expiresAfterSeconds how long the vendor keeps a file that does not say so itself; null: for ever */
export function storedFile(file: WireFile, expiresAfterSeconds: number | null = null): StoredObject {
  // Some compatible servers say 0: no file is dropped because of that.
  const created = isoTime(file.created_at ?? null) === null ? null : (file.created_at as number);
  const expires = file.expires_at ?? (created === null || expiresAfterSeconds === null ? null : created + expiresAfterSeconds);
  return storedObjectOf({
    id: file.id,
    sizeBytes: file.bytes ?? Number.NaN,
    createdAt: isoTime(created),
    name: file.filename ?? null,
    purpose: file.purpose ?? null,
    expiresAt: isoTime(expires),
  });
}

/** Null for what is no time. */
const isoTime = (seconds: number | null) => {
  const date = new Date((seconds ?? 0) * 1000);
  return date.getTime() > 0 ? date.toISOString() : null;
};

/** What was made; an answer that does not say so is like a lost one. */
export function madeFile(answer: Partial<WireFile> | null, http: Pick<Http, 'failure'>): WireFile {
  if (typeof answer?.id === 'string' && answer.id !== '') return answer as WireFile;
  throw http.failure('upload', { kind: 'broken', code: 'unexpected_answer', retryable: true, detail: 'the answer names no file' });
}

/** A listing; an answer that is none must not look like an empty account. */
export function filesOf(answer: Partial<WirePage> | null, http: Pick<Http, 'failure'>): WirePage {
  const isFile = (file: Partial<WireFile> | null) => typeof file?.id === 'string';
  if (Array.isArray(answer?.data) && answer.data.every(isFile)) return answer as WirePage;
  throw http.failure('list', { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'the answer is no list of files' });
}

/** Files asked for at once: the most that GLM gives, and what no compatible server refuses. */
export const LIST_LIMIT = 100;

/**
 * One page behind a place. Some servers go on by the second in which a file was created and lose what else came in it: so the next
 * page is asked for from a file of an earlier second, and what was seen of it is left out. Where `after` is ignored, the whole list
 * comes again, and what stands behind the place counts. `next` names both files: the earlier one (empty: the beginning), the last one.
 * @param fetchPage from behind an id, in the order of creation; null: from the beginning
 */
export async function pageBehind(
  place: string | null,
  fetchPage: (after: string | null) => Promise<WirePage>,
  expiresAfterSeconds: number | null = null,
): Promise<StoredPage> {
  const [earlier = '', last = ''] = place === null ? [] : place.split(' ');
  const { data, more } = last === '' ? whole(await fetchPage(null)) : await behind(earlier, last, fetchPage);
  const end = data.at(-1);
  const before = data.findLast((file) => file.created_at !== end?.created_at)?.id ?? earlier;
  return {
    objects: data.map((file) => storedFile(file, expiresAfterSeconds)),
    next: more && end !== undefined ? `${before} ${end.id}` : null,
  };
}

interface Rest {
  data: WireFile[];
  more: boolean;
}

async function behind(earlier: string, last: string, fetchPage: (after: string | null) => Promise<WirePage>): Promise<Rest> {
  const overlapping = await fetchPage(earlier === '' ? null : earlier).catch((error: unknown) => {
    if (isUnknown(error)) return null; // it was deleted
    throw error;
  });
  const rest = overlapping === null ? null : restOf(overlapping, last);
  if (rest !== null && rest.data.length > 0) return rest;
  const page = await fetchPage(last).catch((error: unknown) => {
    if (overlapping !== null && isUnknown(error)) return null;
    throw error;
  });
  // The last one was deleted, too: what follows the earlier one has all that came after it, and more.
  if (page === null) return whole(overlapping as WirePage);
  return restOf(page, last) ?? whole(page);
}

const isUnknown = (error: unknown) => hasCode(error, 'rejected', 'not_found');

/** A full page that does not say whether more follows is followed. */
const whole = ({ data, has_more }: WirePage): Rest => ({ data, more: has_more ?? data.length >= LIST_LIMIT });

function restOf(page: WirePage, last: string): Rest | null {
  const at = page.data.findIndex(({ id }) => id === last);
  return at === -1 ? null : { ...whole(page), data: page.data.slice(at + 1) };
}
