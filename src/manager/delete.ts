import { randomUUID } from 'node:crypto';
import { DeleteError, ValidationError } from '../domain/errors.ts';
import type { FileCopy, FileRecord, FileReference } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Provider } from '../providers/provider.ts';
import { reaches } from './holder.ts';
import { purgeCopy } from './purge-copy.ts';

export interface DeleteDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  /** Told of each copy that was marked as deleted. */
  onDeleted?: (provider: string) => void;
}

export interface Deleted {
  /** Of those that were to be given up: not what somebody else gave up at the same time. */
  references: number;
  /** Copies marked as deleted; 0 while somebody still holds the file. They can be restored until they are purged. */
  copies: number;
  /** Objects removed at the provider. */
  purged: number;
  /** Who still holds the file. */
  heldBy: FileReference[];
}

/** How long a purge may take before another may try. */
const PURGE_LEASE_SECONDS = 300;

/**
 * Gives references up, and marks the file as deleted when nobody holds it any more: what is somebody else's stays.
 * @param which ids of references of this file, or `all`
 * @param purge whether the objects go at once instead of after the grace
 * @throws ValidationError `reference_not_found`; DeleteError `legal_hold`
 */
export async function deleteFile(
  file: FileRecord,
  which: readonly string[] | 'all',
  { reason, purge, signal }: { reason: string; purge: boolean; signal: AbortSignal },
  dependencies: DeleteDependencies,
): Promise<Deleted> {
  const references = await dependencies.ledger.references(file.id);
  const given = which === 'all' ? references : references.filter((reference) => which.includes(reference.id));
  if (which !== 'all' && given.length < which.length)
    throw new ValidationError(
      `The file ${file.id} has no reference ${which.find((id) => !references.some((reference) => reference.id === id))}`,
      {
        code: 'reference_not_found',
      },
    );
  const done = await giveUp(file, given, reason, dependencies);
  const heldBy = references.filter((reference) => !given.includes(reference));
  if (heldBy.length > 0 && done.copies === 0) return { ...done, purged: 0, heldBy };
  return { ...done, purged: purge ? await purgeCopies(file, signal, dependencies) : 0, heldBy: [] };
}

/**
 * The same for references that are known to be this file's, without a look at all the others: there may be very many.
 * @throws DeleteError `legal_hold`
 */
export async function giveUp(
  file: FileRecord,
  given: readonly Pick<FileReference, 'id'>[],
  reason: string,
  { ledger, onDeleted }: Pick<DeleteDependencies, 'ledger' | 'onDeleted'>,
): Promise<Pick<Deleted, 'references' | 'copies'>> {
  const before = await ledger.copies(file.id);
  const held = before.filter((copy) => copy.legalHold && copy.purgedAt === null);
  if (held.length > 0)
    throw new DeleteError(`The file ${file.id} is on legal hold: release it first`, { code: 'legal_hold', provider: held[0]?.provider });
  let gone = 0;
  for (const reference of given) if (await ledger.deleteReference(reference.id)) gone += 1;
  // Also where others held it just now: who gives up the last hold at the same time sees ours, as we saw theirs.
  const copies = await ledger.softDelete(file.id, reason, { unreferencedOnly: true });
  const marked = before.filter((copy) => copy.status === 'completed' && copy.deletedAt === null);
  for (const copy of copies > 0 ? marked : []) onDeleted?.(copy.provider);
  return { references: gone, copies };
}

/** Removes the objects of what is marked as deleted. @returns how many */
async function purgeCopies(file: FileRecord, signal: AbortSignal, { ledger, provider }: DeleteDependencies): Promise<number> {
  const owner = `purge:${randomUUID()}`;
  let purged = 0;
  for (const { id, providerFileId } of await ledger.copies(file.id)) {
    // What a failed upload may have left has to be looked for first: the sweep does that.
    if (providerFileId === null) continue;
    const objectOf = async (copy: FileCopy) => ({
      at: holderOf(copy, provider(copy.provider)),
      objectId: copy.providerFileId ?? providerFileId,
    });
    if (await purgeCopy(id, { owner, leaseSeconds: PURGE_LEASE_SECONDS, signal, ledger, objectOf })) purged += 1;
  }
  return purged;
}

/** The provider, where it reaches the copy's account. */
function holderOf({ account }: FileCopy, provider: Provider): Provider {
  if (reaches(provider, account)) return provider;
  throw new DeleteError(
    `A copy at ${provider.name} is in the account ${account}, and the one configured here is ${provider.account}: purge it where that account is configured`,
    { code: 'other_account', provider: provider.name },
  );
}
