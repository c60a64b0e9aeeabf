import { FileManagementError } from '../domain/errors.ts';
import type { FileCopy } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Provider } from '../providers/provider.ts';

export interface Purge {
  owner: string;
  /** How long it may take before another may try. */
  leaseSeconds: number;
  signal: AbortSignal;
  ledger: Pick<Ledger, 'beginPurge' | 'completePurge' | 'failPurge'>;
  /** Where the object of a copy is, and which it is; null where there is none. */
  objectOf(copy: FileCopy): Promise<{ at: Pick<Provider, 'delete'>; objectId: string | null }>;
}

/**
 * Removes the object of a copy that is marked as deleted. The ledger decides, so that nothing is purged that was uploaded again meanwhile.
 * @returns whether it was this call that purged it
 * @throws what the provider said, once the ledger has it
 */
export async function purgeCopy(copyId: string, { owner, leaseSeconds, signal, ledger, objectOf }: Purge): Promise<boolean> {
  const copy = await ledger.beginPurge(copyId, owner, leaseSeconds);
  if (copy === null) return false;
  try {
    const { at, objectId } = await objectOf(copy);
    if (objectId !== null) await at.delete(objectId, signal);
    await ledger.completePurge(copyId, owner);
    return true;
  } catch (error) {
    await ledger.failPurge(copyId, owner, error instanceof FileManagementError ? error.code : 'unknown');
    throw error;
  }
}
