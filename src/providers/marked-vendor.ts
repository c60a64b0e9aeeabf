import { createHash } from 'node:crypto';
import { type Capabilities, choosePurpose, extensionOf, refusalOf } from '../domain/capabilities.ts';
import { hasCode, ValidationError } from '../domain/errors.ts';
import { createOnce } from './create-once.ts';
import type { Http } from './http.ts';
import { markedName, markerIn } from './marked-name.ts';
import { throttledProgress } from './progress.ts';
import type { Download, ObjectIdentity, Provider, StoredObject, StoredPage, UploadRequest } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { VendorOptions } from './vendor.ts';
import { isWhole, sizeMismatch } from './verify-stored.ts';
import { transferLimits } from './watchdog.ts';

/** One attempt to send a file. */
export interface Sending {
  request: UploadRequest;
  /** One of the vendor's own. */
  purpose: string;
  /** The name to give, with the marker. */
  filename: string;
  onProgress: (bytes: number) => void;
}

/** What differs from vendor to vendor: each call is one attempt, and throws classified errors. */
export interface VendorCalls {
  create(sending: Sending): Promise<StoredObject>;
  info(id: string, signal: AbortSignal): Promise<StoredObject | null>;
  /** Errors of an object that is not there have the code `not_found`. */
  remove(id: string, signal: AbortSignal): Promise<unknown>;
  /** One page. @param after the `next` of the page before */
  page(after: string | null, signal: AbortSignal): Promise<StoredPage>;
  download(id: string, options: { signal: AbortSignal; range?: { first: number; last: number } }): Promise<Download>;
}

export interface MarkedVendor extends VendorOptions {
  name: string;
  account: string;
  capabilities: Capabilities;
  http: Pick<Http, 'failure'>;
  calls: VendorCalls;
  /** Whether a text can be one of the vendor's ids. */
  isId: RegExp;
  /** Extensions that the vendor knows by another word for the same. */
  extensions?: Readonly<Record<string, string>>;
}

/** Two keys are two accounts, and neither is told. */
export const accountOf = (baseUrl: string, apiKey: string): string =>
  `${new URL(baseUrl).host}/${createHash('sha256').update(apiKey).digest('hex').slice(0, 8)}`;

/**
 * A provider whose vendor makes its own ids: objects carry the marker in their name and are found by it, so that an answer that was
 * lost leaves one object.
 */
export function createMarkedVendor(vendor: MarkedVendor): Provider {
  const { name, account, capabilities, http, calls, timeouts, maxRetryAttempts, onSurplus } = vendor;
  const retry: RetryPolicy = { maxRetries: maxRetryAttempts, budgetMs: timeouts.callMs };
  const checked = (id: string) => {
    if (vendor.isId.test(id)) return id;
    throw new ValidationError(`${JSON.stringify(id)} is no id of a file at ${name}`, { code: 'invalid_id', provider: name });
  };

  const list = (after: string | null, signal: AbortSignal) =>
    eachPage(after, (at) => withRetries(retry, signal, () => calls.page(at, signal)));
  async function marked({ marker, sizeBytes, sha256 }: ObjectIdentity, signal: AbortSignal): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    for await (const { objects } of list(null, signal))
      found.push(...objects.filter((object) => markerIn(object.name) === marker && isWhole(object, { sizeBytes, sha256 })));
    return found.sort((a, b) => Date.parse(a.createdAt ?? '') - Date.parse(b.createdAt ?? '') || (a.id < b.id ? -1 : 1));
  }
  async function info(id: string, signal: AbortSignal): Promise<StoredObject | null> {
    return await withRetries(retry, signal, () => calls.info(checked(id), signal));
  }
  async function remove(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await withRetries(retry, signal, () => calls.remove(checked(id), signal));
      return true;
    } catch (error) {
      if (hasCode(error, 'not_found')) return false;
      throw error;
    }
  }

  return {
    name,
    account,
    capabilities,
    async check(signal) {
      await withRetries(retry, signal, () => calls.page(null, signal));
    },
    async upload(request) {
      const { body, sha256, marker, namespace, signal } = request;
      signal.throwIfAborted();
      const { sizeBytes } = body;
      const file = { name: request.name, sizeBytes };
      const purpose = choosePurpose(name, capabilities, request.purpose, file);
      const refusal = refusalOf(name, capabilities, purpose, file);
      if (refusal !== null) throw refusal;
      const onProgress = throttledProgress(request.onProgress);
      const extension = extensionOf(request.name);
      const filename = markedName(request.name, marker, vendor.extensions?.[extension] ?? extension);
      // An attempt goes on where the one before it stopped.
      const resumable: UploadRequest = {
        ...request,
        onCheckpoint(checkpoint) {
          resumable.checkpoint = checkpoint;
          request.onCheckpoint?.(checkpoint);
        },
      };
      const transfer: RetryPolicy = { ...retry, budgetMs: transferLimits(timeouts, sizeBytes).totalMs };
      const identity = { marker, sha256, sizeBytes, namespace, purpose };
      const stored = await createOnce({
        retry: transfer,
        signal,
        retried: request.retried,
        find: () => marked(identity, signal),
        async create() {
          const made = await calls.create({ request: resumable, purpose, filename, onProgress });
          const { id } = made;
          if (isWhole(made, identity)) return made;
          throw await sizeMismatch(made, identity, http.failure, () => remove(id, signal));
        },
        remove: (id) => remove(id, signal),
        onSurplus,
      });
      onProgress(sizeBytes, true);
      return stored;
    },
    download: async (id, options) => {
      options.signal.throwIfAborted();
      return await calls.download(checked(id), options);
    },
    info,
    find: async (identity, signal) => (await marked(identity, signal))[0] ?? null,
    idOf: () => null,
    delete: remove,
    async *list({ after = null, under = '', signal }) {
      for await (const { objects, next } of list(after, signal)) {
        const wanted = objects.filter(({ id }) => id.startsWith(under));
        if (wanted.length > 0) yield { objects: wanted, next };
      }
    },
  };
}

/** So many pages in a row may hold nothing new: one whose files are all left out is no end, and a list that repeats itself is one. */
const PAGES_WITHOUT_NEWS = 3;
/** So many ids are remembered, however large an account is. */
const IDS_KEPT = 50_000;

/** Page after page from `after` on, whatever the vendor does: nothing twice, and an end. */
export async function* eachPage(after: string | null, pageAt: (after: string | null) => Promise<StoredPage>): AsyncGenerator<StoredPage> {
  const given = new Set<string>();
  const places = new Set<string | null>([after]);
  let withoutNews = 0;
  for (let at = after; ; ) {
    const page = await pageAt(at);
    const objects = page.objects.filter(({ id }) => !given.has(id));
    // Pages that overlap lie next to each other: what is long past need not be kept.
    if (given.size > IDS_KEPT) given.clear();
    for (const { id } of objects) given.add(id);
    withoutNews = objects.length === 0 ? withoutNews + 1 : 0;
    const next = places.has(page.next) || withoutNews > PAGES_WITHOUT_NEWS ? null : page.next;
    if (objects.length > 0) yield { objects, next };
    if (next === null) return;
    places.add(next);
    at = next;
  }
}

/** What a vendor without downloads says to one. */
export const notDownloadable = (provider: string, why: string): ValidationError =>
  new ValidationError(`${provider} does not give originals back: ${why}`, { code: 'not_downloadable', provider });
