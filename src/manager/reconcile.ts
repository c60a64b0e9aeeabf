import { FileManagementError, FileNotFoundError, messageOf, UploadError } from '../domain/errors.ts';
import { trashKey } from '../domain/object-key.ts';
import type { ReconcileCounts, ReconcileOrder, ReconcilePage } from '../domain/reconcile-run.ts';
import {
  type Action,
  type CopyFacts,
  differenceOf,
  isDisagreement,
  isLeftStaged,
  judgeObject,
  type ReconcileItem,
} from '../domain/reconciliation.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { MaintenanceLedger, PlacedItem } from '../ledger/maintenance-ledger.ts';
import { namesByContent, type Provider } from '../providers/provider.ts';
import { atOnce } from './at-once.ts';
import { type Listed, listedPage } from './listed-objects.ts';

export interface ReconcileDependencies {
  ledger: Pick<Ledger, 'completePurge'>;
  maintenance: MaintenanceLedger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
}

export interface SettleOptions {
  /** Providers at which too many objects are unknown to be nobody's. */
  leaveUnknownAt: readonly string[];
}

const COPIES = 200;
const ITEMS = 50;
/** Small calls to a provider. */
const AT_ONCE = 8;
/** How long an object may take to be moved. Uploads of its content wait for so long at most. */
const MOVE_SECONDS = 600;

/** The three steps of a reconciliation, page by page. What is found goes to the ledger; the counts come back. */
export function createReconciler({ ledger, maintenance, provider }: ReconcileDependencies) {
  return {
    /** A page of what a provider lists, against the ledger: everything but what is lost. Idempotent by run and object. */
    async compareObjects(name: string, after: string | null, order: ReconcileOrder, signal: AbortSignal): Promise<ReconcilePage> {
      const from = provider(name);
      const { graceSeconds, hashes } = order;
      const { objects, aside, staged, next } = await listedPage(from, after, maintenance, { graceSeconds, hashes, signal });
      const counts: Partial<ReconcileCounts> = { aside, objects: objects.length };
      const add = (what: keyof ReconcileCounts) => {
        counts[what] = (counts[what] ?? 0) + 1;
      };
      const items: ReconcileItem[] = [];
      for (const listed of objects) {
        const { verdict, copy } = judgeObject(listed);
        if (listed.sha256 !== null) add('hashed');
        add(verdict === 'awaiting_purge' ? 'awaitingPurge' : verdict);
        if (isDisagreement(verdict) || (verdict === 'foreign' && order.foreign)) items.push(itemOf(from, verdict, listed, copy));
      }
      const now = staged.length === 0 ? null : await maintenance.time();
      for (const object of staged) {
        if (now === null || !isLeftStaged(object.createdAt, now)) continue;
        add('staged');
        const found = { objectId: object.id, foundBytes: object.sizeBytes, objectCreatedAt: object.createdAt };
        items.push({ ...lineOf(from, 'staged', null), ...found });
      }
      await maintenance.recordFindings(order.runId, items);
      return { counts, next };
    },

    /** A page of the copies that no listing has shown since `since`: each is asked for by its id. */
    async findLost(name: string, after: string | null, since: string, order: ReconcileOrder, signal: AbortSignal): Promise<ReconcilePage> {
      const from = provider(name);
      const copies = await maintenance.unseenCopies(from, since, order.graceSeconds, { after, limit: COPIES });
      const found = await atOnce(copies, AT_ONCE, async (copy): Promise<ReconcileItem | null> => {
        const object = await from.info(copy.providerFileId ?? '', signal);
        const kind = object === null ? 'lost' : differenceOf(object, copy);
        return kind === null
          ? null
          : { ...lineOf(from, kind, copy), foundBytes: object?.sizeBytes ?? null, foundSha256: object?.sha256 ?? null };
      });
      const items = found.filter((item) => item !== null);
      await maintenance.recordFindings(order.runId, items);
      const counts: Partial<ReconcileCounts> = {};
      for (const { kind } of items) counts[kind] = (counts[kind] ?? 0) + 1;
      return { counts, next: copies.length < COPIES ? null : (copies.at(-1)?.copyId ?? null) };
    },

    /**
     * Settles a page of what was found. A lost copy is given up, so that the next upload sends it again. What disagrees is moved into
     * the trash of its bucket, or (where ids are the vendor's) left to retention. Nothing is deleted that is not somewhere else, but
     * for what was staged for uploads that are long over.
     */
    async settle(
      after: number | null,
      { runId }: Pick<ReconcileOrder, 'runId'>,
      signal: AbortSignal,
      { leaveUnknownAt }: SettleOptions = { leaveUnknownAt: [] },
    ): Promise<ReconcilePage> {
      const items = await maintenance.findings(runId, { after, limit: ITEMS, unsettled: true });
      const counts: Partial<ReconcileCounts> = {};
      await atOnce(items, AT_ONCE, async (item) => {
        const doubtful = item.kind === 'unknown' && leaveUnknownAt.includes(item.provider);
        const { action, detail } = doubtful ? { action: 'left' as const, detail: LEFT.doubtful } : await settled(item, runId, signal);
        await maintenance.settle(runId, item.position, action, detail);
        if (action !== 'none') counts[action] = (counts[action] ?? 0) + 1;
      });
      return { counts, next: items.length < ITEMS ? null : String(items.at(-1)?.position) };
    },
  };

  async function settled(item: PlacedItem, runId: string, signal: AbortSignal): Promise<{ action: Action; detail: string | null }> {
    if (item.kind === 'lost') {
      const outcome = await maintenance.giveUpLost(runId, item.position);
      return outcome === 'invalidated' ? { action: outcome, detail: null } : { action: 'left', detail: LEFT.changed };
    }
    const to = provider(item.provider);
    const { copy } = to;
    if (to.account !== item.account)
      return { action: 'left', detail: `it is in the account ${item.account}, and this worker has ${to.account}` };
    if (item.kind === 'staged') return await unstaged(to, item, signal);
    if (item.kind === 'unknown' && item.objectCreatedAt === null) return { action: 'left', detail: 'its age is not known' };
    if ((item.kind === 'other_size' || item.kind === 'other_hash') && (await agreesNow(to, item, signal)))
      return { action: 'left', detail: 'it is what the ledger says, now that it was asked for by its id' };
    if (!namesByContent(to) || copy === undefined) {
      // A mark without a row is that of another ledger on the same account.
      if (item.copyId === null)
        return { action: 'left', detail: `no row knows it: delete ${item.objectId} at ${item.provider} if it is nobody's` };
      const condemned = await maintenance.condemn(runId, item.position, null);
      return condemned.outcome === 'left' ? { action: 'left', detail: LEFT[condemned.why] } : { action: 'left_to_retention', detail: null };
    }
    const owner = `reconcile:${runId}`;
    const condemned = await maintenance.condemn(runId, item.position, { owner, seconds: MOVE_SECONDS });
    if (condemned.outcome === 'left') return { action: 'left', detail: LEFT[condemned.why] };
    const key = trashKey(runId, item.objectId.slice(item.objectId.indexOf('/') + 1));
    const trash = `${item.objectId.slice(0, item.objectId.indexOf('/'))}/${key}`;
    if (condemned.outcome === 'done') return { action: 'moved', detail: trash };
    // While the lease lasts nobody writes there.
    const within = AbortSignal.any([signal, AbortSignal.timeout(MOVE_SECONDS * 800)]);
    try {
      await move(to, copy, item.objectId, key, trash, within);
      await ledger.completePurge(condemned.copyId, owner);
      return { action: 'moved', detail: trash };
    } catch (error) {
      // An outage is for Temporal to wait out: the object stays ours meanwhile.
      if (!signal.aborted && error instanceof FileManagementError && error.retryable) throw error;
      await maintenance.release(condemned.copyId, owner);
      signal.throwIfAborted();
      return { action: 'failed', detail: messageOf(error) };
    }
  }

  /** Each was staged under a name of its own: nothing else was ever there. */
  async function unstaged(at: Provider, { objectId }: PlacedItem, signal: AbortSignal): Promise<{ action: Action; detail: string | null }> {
    try {
      await at.delete(objectId, signal);
      return { action: 'deleted', detail: null };
    } catch (error) {
      if (signal.aborted || !(error instanceof FileManagementError) || error.retryable) throw error;
      return { action: 'failed', detail: messageOf(error) };
    }
  }

  /** A listing can tell less than the object itself: an entry without a size counts there as an empty one. */
  async function agreesNow(at: Provider, item: PlacedItem, signal: AbortSignal): Promise<boolean> {
    const object = await at.info(item.objectId, signal);
    if (object === null || (item.kind === 'other_hash' && object.sha256 === null)) return false;
    return differenceOf(object, { sizeBytes: item.expectedBytes, sha256: item.expectedSha256 }) === null;
  }

  /** The object goes only when its copy is seen whole. Another attempt may have done either part, also while this one does it. */
  async function move(at: Provider, copy: NonNullable<Provider['copy']>, id: string, key: string, trash: string, signal: AbortSignal) {
    const before = await at.info(id, signal);
    const copied = before !== null && (await copy(before, key, signal)) !== null;
    const after = await at.info(trash, signal);
    if (!copied && after !== null) return;
    if (!copied) throw new FileNotFoundError(`${id} is not there any more`, { code: 'gone', provider: at.name });
    if (after?.sizeBytes !== before.sizeBytes)
      throw new UploadError(`${trash} has ${after?.sizeBytes ?? 'no'} bytes instead of ${before.sizeBytes}; ${id} was left where it is`, {
        code: 'size_mismatch',
        provider: at.name,
      });
    await at.delete(id, signal);
  }
}

const LEFT = {
  changed: 'it changed since it was looked at: the next run will see',
  doubtful: "too many objects are unknown: is this bucket another ledger's, or is its address new?",
  on_hold: 'the file is on hold',
  in_use: 'somebody sends or uses this content now',
};

const lineOf = ({ name, account }: Provider, kind: ReconcileItem['kind'], copy: CopyFacts | null): ReconcileItem => ({
  ...{ provider: name, account, kind, objectId: copy?.providerFileId ?? '', copyId: copy?.copyId ?? null, fileId: copy?.fileId ?? null },
  ...{ name: copy?.name ?? null, namespace: copy?.namespace ?? null, expectedBytes: copy?.sizeBytes ?? null, foundBytes: null },
  ...{ expectedSha256: copy?.sha256 ?? null, foundSha256: null, objectCreatedAt: null, copyUpdatedAt: copy?.updatedAt ?? null },
  ...{ action: 'none', detail: null },
});

const itemOf = (
  from: Provider,
  kind: ReconcileItem['kind'],
  { object, keys, sizeBytes, sha256 }: Listed,
  copy: CopyFacts | null,
): ReconcileItem => ({
  ...lineOf(from, kind, copy),
  ...{ objectId: object.id, foundBytes: sizeBytes, foundSha256: sha256, objectCreatedAt: object.createdAt },
  ...(copy === null ? { name: object.name, namespace: keys.namespace, expectedSha256: keys.sha256 } : {}),
});
