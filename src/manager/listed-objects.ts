import { hasCode } from '../domain/errors.ts';
import { meaningOfKey } from '../domain/object-key.ts';
import type { ListedObject } from '../domain/reconciliation.ts';
import type { MaintenanceLedger, ObjectKeys } from '../ledger/maintenance-ledger.ts';
import { markerIn } from '../providers/marked-name.ts';
import { namesByContent, type Provider, type StoredObject, type StoredPage } from '../providers/provider.ts';
import { atOnce } from './at-once.ts';

/** An object, what the ledger knows of it, and what its name says. */
export interface Listed extends ListedObject {
  object: StoredObject;
  keys: ObjectKeys;
}

export interface ListedPage {
  objects: Listed[];
  /** In the trash, or staged: ours, and nobody's copy. */
  aside: number;
  /** Of these what is staged. */
  staged: StoredObject[];
  next: string | null;
}

export interface LookUp {
  graceSeconds: number;
  /** Whether a hash that the listing does not tell is asked for, object by object, where the provider knows one. */
  hashes: boolean;
  signal: AbortSignal;
}

/** A lookup in the ledger takes so many objects at once; a page of ours is full with them. */
const OBJECTS = 500;
/** Calls for hashes. */
const AT_ONCE = 8;

/**
 * What a provider lists behind a place, one page of ours, each with all that the ledger knows of it in one call. Small pages of the
 * provider are put together, large ones taken in parts: memory does not grow with the number of files.
 */
export async function listedPage(
  provider: Provider,
  after: string | null,
  maintenance: MaintenanceLedger,
  options: LookUp,
): Promise<ListedPage> {
  const found: StoredObject[] = [];
  let next: string | null = null;
  for await (const page of pagesOf(provider, after, maintenance, options.signal)) {
    found.push(...page.objects);
    next = page.next;
    if (found.length >= OBJECTS) break;
  }
  const byContent = namesByContent(provider);
  const known = found.map((object) => ({ object, ...(byContent ? keyOf(provider, object) : markOf(object)) }));
  const ours = known.filter(({ aside }) => !aside);
  const objects: Listed[] = [];
  for (let at = 0; at < ours.length; at += OBJECTS) {
    const part = ours.slice(at, at + OBJECTS);
    const matched = await maintenance.matchObjects(
      provider,
      part.map(({ keys }) => keys),
      options.graceSeconds,
    );
    const byId = new Map(matched.map((match) => [match.id, match]));
    for (const { object, keys } of part) {
      const { young = false, copies = [] } = byId.get(object.id) ?? {};
      const { id, sizeBytes, sha256 } = object;
      objects.push({ ...{ id, sizeBytes, sha256, young, copies, object, keys }, ours: keys.sha256 !== null || keys.copyId !== null });
    }
  }
  return {
    objects: options.hashes ? await withHashes(provider, objects, options.signal) : objects,
    aside: known.length - ours.length,
    staged: known.filter(({ staged }) => staged).map(({ object }) => object),
    next,
  };
}

/** A bucket that was never made holds nothing, where the ledger says so, too; else its absence is no emptiness, but an error. */
async function* pagesOf(
  provider: Provider,
  after: string | null,
  maintenance: MaintenanceLedger,
  signal: AbortSignal,
): AsyncGenerator<StoredPage> {
  try {
    yield* provider.list({ after, signal });
  } catch (error) {
    const nothing =
      hasCode(error, 'bucket_not_found') && (await maintenance.storedCopies(provider, { after: null, limit: 1 })).length === 0;
    if (!nothing) throw error;
  }
}

/** Where files are laid on their way to the workers: the same name in another storage is somebody else's. */
const STAGING = 'supabase';

interface Known {
  keys: ObjectKeys;
  aside: boolean;
  staged: boolean;
}

function keyOf(provider: Provider, { id, createdAt }: StoredObject): Known {
  const meaning = meaningOfKey(id.slice(id.indexOf('/') + 1));
  const content = meaning.kind === 'content' && provider.idOf(meaning.sha256, meaning.namespace) === id ? meaning : null;
  return {
    keys: { id, sha256: content?.sha256 ?? null, namespace: content?.namespace ?? null, copyId: null, createdAt },
    aside: meaning.kind === 'aside',
    staged: meaning.kind === 'aside' && meaning.staged && provider.name === STAGING,
  };
}

const markOf = ({ id, name, createdAt }: StoredObject): Known => ({
  keys: { id, sha256: null, namespace: null, copyId: markerIn(name), createdAt },
  aside: false,
  staged: false,
});

/** Asks for hashes that the listing does not tell. The smallest object is asked for first: where even it has none, none has. */
async function withHashes(provider: Provider, objects: Listed[], signal: AbortSignal): Promise<Listed[]> {
  const standing = objects.filter(({ id, sha256, copies }) => sha256 === null && copies.some((copy) => copy.providerFileId === id));
  const [smallest, ...others] = standing.toSorted((a, b) => a.sizeBytes - b.sizeBytes);
  if (smallest === undefined) return objects;
  const hashOf = async ({ id }: Listed) => [id, (await provider.info(id, signal))?.sha256 ?? null] as const;
  const first = await hashOf(smallest);
  if (first[1] === null) return objects;
  const hashes = new Map([first, ...(await atOnce(others, AT_ONCE, hashOf))]);
  return objects.map((object) => ({ ...object, sha256: hashes.get(object.id) ?? object.sha256 }));
}
