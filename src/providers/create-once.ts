import { FileManagementError } from '../domain/errors.ts';
import type { StoredObject } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';

export interface CreateOnce {
  retry: RetryPolicy;
  signal: AbortSignal;
  /** An earlier process may have made the object. */
  retried: boolean;
  /** Every whole object of this identity, the oldest first. */
  find(): Promise<StoredObject[]>;
  /** One attempt to make it. */
  create(): Promise<StoredObject>;
  remove(id: string): Promise<unknown>;
  /** One object too many was deleted. */
  onSurplus?: ((id: string) => void) | undefined;
}

/** After these nothing can have been stored. */
const NOTHING_STORED = new Set([
  'rate_limited',
  'circuit_open',
  'connection_refused',
  'host_not_found',
  'unreachable',
  'connect_timeout',
  'tls',
]);

/**
 * Makes one object at a vendor that makes its own ids. After an attempt whose end is not known it looks for what that one may have
 * left before it makes another, and once more afterwards, because a server can be late: the oldest stays, the others are deleted.
 */
export async function createOnce({ retry, signal, retried, find, create, remove, onSurplus }: CreateOnce): Promise<StoredObject> {
  let unsure = retried;
  async function settled(): Promise<StoredObject | null> {
    const [oldest, ...surplus] = await find();
    for (const { id } of surplus) {
      await remove(id);
      onSurplus?.(id);
    }
    return oldest ?? null;
  }
  return await withRetries(retry, signal, async () => {
    const left = unsure ? await settled() : null;
    if (left !== null) return left;
    try {
      const made = await create();
      return unsure ? ((await settled()) ?? made) : made;
    } catch (error) {
      if (error instanceof FileManagementError && error.retryable && !NOTHING_STORED.has(error.code)) unsure = true;
      throw error;
    }
  });
}
