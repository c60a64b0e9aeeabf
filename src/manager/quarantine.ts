import { randomUUID } from 'node:crypto';
import { UploadError } from '../domain/errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { ShadowCopy, ShadowLedger } from '../ledger/shadow-ledger.ts';
import type { Provider } from '../providers/provider.ts';
import { leftBehind } from './left-behind.ts';
import { purgeCopy } from './purge-copy.ts';

export interface QuarantineDependencies {
  shadow: Pick<ShadowLedger, 'shadowCopies' | 'deleteShadowCopy'>;
  ledger: Pick<Ledger, 'beginPurge' | 'completePurge' | 'failPurge'>;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
}

const PURGE_LEASE_SECONDS = 60;

/**
 * Removes what an upload into quarantine has left: its object and its row, also where it broke off between the two. Another comparison
 * of the same content may be using the copy at this moment: it is tried again then.
 * @throws UploadError `quarantine_busy`, retryable
 */
export async function emptyQuarantine(idempotencyKey: string, signal: AbortSignal, dependencies: QuarantineDependencies): Promise<number> {
  const { shadow } = dependencies;
  const copies = await shadow.shadowCopies(idempotencyKey);
  for (const copy of copies) if (await shadow.deleteShadowCopy(copy.id)) await purge(copy, signal, dependencies);
  const left = copies.length === 0 ? [] : await shadow.shadowCopies(idempotencyKey);
  if (left.length > 0)
    throw new UploadError(`${left.length} shadow copies are still in use`, {
      code: 'quarantine_busy',
      retryable: true,
      retryAfterMs: 2_000,
    });
  return copies.length;
}

async function purge(shadowCopy: ShadowCopy, signal: AbortSignal, { ledger, provider }: QuarantineDependencies): Promise<void> {
  const { id } = shadowCopy;
  await purgeCopy(id, {
    ...{ owner: `quarantine:${randomUUID()}`, leaseSeconds: PURGE_LEASE_SECONDS, signal, ledger },
    async objectOf({ providerFileId }) {
      const at = provider(shadowCopy.provider);
      return { at, objectId: providerFileId ?? (await leftBehind({ ...shadowCopy, marker: id }, at, signal)) };
    },
  });
}
