import { FileManagementError, messageOf, ProviderNotFoundError } from '../domain/errors.ts';
import { quotaUses } from '../domain/quota.ts';
import {
  addCounts,
  type QuotaRules,
  quotaExcesses,
  type SweepCount,
  type SweepOutcome,
  type SweepReason,
  type SweptPage,
} from '../domain/retention.ts';
import type { BegunPurge, DuePurge, PurgeResult, RetentionLedger } from '../ledger/retention-ledger.ts';
import type { GuardedProvider } from '../providers/guard.ts';
import type { Provider } from '../providers/provider.ts';
import { atOnce } from './at-once.ts';
import { reaches } from './holder.ts';
import { leftBehind } from './left-behind.ts';
import { markEnding } from './sweep-ending.ts';

/** What a sweep does at the providers: counts what their accounts hold, and deletes objects. */
export interface SweepDependencies {
  retention: RetentionLedger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  providers: { all(): Pick<GuardedProvider, 'name' | 'account' | 'capabilities' | 'held'>[] };
}

/** Marked by one call; a limit that is passed by more is asked about again. */
const MARKED_AT_ONCE = 1000;

/**
 * Marks what nobody keeps where a limit is near: copies that their provider drops soon, and, where an account is nearly full, the oldest
 * files. An account that cannot be counted is told of and passed over.
 */
export async function makeRoom(
  runId: string,
  rules: QuotaRules,
  signal: AbortSignal,
  { retention, providers }: Pick<SweepDependencies, 'retention' | 'providers'>,
  dryRun: boolean,
): Promise<SweptPage> {
  // First, because what goes for its age makes room, too.
  const aged = await markEnding(runId, rules.start, signal, retention, dryRun);
  const notes = [...(aged.notes ?? [])];
  let { counts } = aged;
  for (const { name, account, capabilities, held: count } of providers.all()) {
    let held: Awaited<ReturnType<GuardedProvider['held']>>;
    try {
      held = await count(signal);
    } catch (error) {
      signal.throwIfAborted();
      notes.push(`the account at ${name} could not be counted, so no room was made there: ${messageOf(error)}`);
      continue;
    }
    if (held === null) continue;
    for (const { kind, purpose, excess } of quotaExcesses(quotaUses(capabilities, held), rules)) {
      for (;;) {
        const marked = await retention.sweepQuota(runId, { provider: name, account, purpose, kind, excess }, MARKED_AT_ONCE);
        const outcome = dryRun ? 'planned' : 'done';
        counts = addCounts(counts, [{ action: 'mark', reason: 'quota', outcome, copies: marked.copies, bytes: marked.bytes }]);
        signal.throwIfAborted();
        if (marked.short <= 0) break;
        if (marked.copies > 0) continue;
        notes.push(
          `the account at ${name} is nearly full (${kind}), and no more files may go there: somebody keeps the others, or has just used them`,
        );
        break;
      }
    }
  }
  return { next: null, counts, notes };
}

export interface PurgePage {
  runId: string;
  owner: string;
  after: string | null;
  /** Deleted copies that are looked at. */
  limit: number;
  dryRun: boolean;
  /** Deletes at once. */
  concurrency: number;
}

export interface PurgeSignals {
  /** No further delete is begun; those under way end and are recorded. */
  stopping: AbortSignal;
  onProgress?: (deleted: number) => void;
}

/** How long the objects of one page are ours to delete. */
const LEASE_SECONDS = 600;
/** No delete is begun so late that it could end after the lease. */
const BEGIN_WITHIN_MS = 300_000;

/** Deletes the objects of the deleted copies that are due, and records how it went. One that fails does not stop the others. */
export async function purgePage(page: PurgePage, signals: PurgeSignals, dependencies: SweepDependencies): Promise<SweptPage> {
  const { retention, provider } = dependencies;
  const { runId, owner, after, limit, dryRun } = page;
  const { next, copies } = await retention.duePurges(runId, owner, after, limit);
  const reachable: DuePurge[] = [];
  const skipped: PurgeResult[] = [];
  const notes = new Set<string>();
  for (const copy of copies) {
    const obstacle = obstacleTo(copy, provider);
    if (obstacle === null) reachable.push(copy);
    else {
      skipped.push({ copyId: copy.copyId, outcome: 'skipped', code: obstacle.code });
      notes.add(obstacle.why);
    }
  }
  if (dryRun) {
    const planned = reachable.map(({ copyId }): PurgeResult => ({ copyId, outcome: 'planned', code: null }));
    await retention.endPurges(runId, owner, [...planned, ...skipped]);
    return { next, counts: countsOf([...planned, ...skipped], copies), notes: [...notes] };
  }
  const { begun, closed, kept } =
    reachable.length === 0
      ? { begun: [], closed: 0, kept: 0 }
      : await retention.beginPurges(
          runId,
          reachable.map(({ copyId }) => copyId),
          owner,
          LEASE_SECONDS,
        );
  const until = performance.now() + BEGIN_WITHIN_MS;
  const results: PurgeResult[] = [];
  let again = false;
  await atOnce(begun, page.concurrency, async (copy) => {
    if (signals.stopping.aborted || performance.now() >= until) {
      again = true;
      results.push({ copyId: copy.copyId, outcome: 'left', code: null });
    } else results.push(await purge(copy, provider(copy.provider), retention));
    signals.onProgress?.(results.length);
  });
  await retention.endPurges(runId, owner, [...results, ...skipped]);
  const others = (
    [
      ['done', closed],
      ['kept', kept],
    ] as const
  ).map(([outcome, number]): SweepCount => ({ action: 'purge', reason: 'deleted', outcome, copies: number, bytes: 0 }));
  const counts = addCounts(countsOf(results, begun), countsOf(skipped, copies), others);
  return { next, counts, notes: [...notes], ...(again ? { again } : {}) };
}

/** Why the object of a copy cannot be deleted from here; null: it can. */
function obstacleTo({ provider: name, account }: DuePurge, provider: SweepDependencies['provider']): { code: string; why: string } | null {
  try {
    const found = provider(name);
    if (reaches(found, account)) return null;
    const why = `copies at ${name} in the account ${account} were skipped: the one configured here is ${found.account}`;
    return { code: 'other_account', why };
  } catch (error) {
    if (!(error instanceof ProviderNotFoundError)) throw error;
    return { code: error.code, why: `copies at ${name} were skipped: it is not configured here` };
  }
}

/** Errors that say nothing of the object: it was not even tried. */
const NOT_TRIED = new Set(['circuit_open']);

async function purge(copy: BegunPurge, provider: Provider, retention: RetentionLedger): Promise<PurgeResult> {
  const { copyId } = copy;
  // A delete that has begun is ended, whoever stops: each call of a provider has its own time.
  const { signal } = new AbortController();
  try {
    // The object of a copy without an id is looked for in its own account: in another bucket its key may be that of a live copy.
    if (copy.providerFileId === null && copy.account !== provider.account) return { copyId, outcome: 'skipped', code: 'other_account' };
    const id = copy.providerFileId ?? (await leftBy(copy, provider, retention, signal));
    if (id !== null) await provider.delete(id, signal);
    return { copyId, outcome: 'done', code: null };
  } catch (error) {
    const code = error instanceof FileManagementError ? error.code : 'unknown';
    return { copyId, outcome: NOT_TRIED.has(code) ? 'left' : 'failed', code };
  }
}

/** Under an older address of the same bucket a copy may stand on what is not this one's. */
async function leftBy(
  { copyId, sha256, sizeBytes, namespace, purpose }: BegunPurge,
  provider: Provider,
  retention: RetentionLedger,
  signal: AbortSignal,
): Promise<string | null> {
  if (sha256 === null || sizeBytes === null) return null;
  const identity = { marker: copyId, sha256, sizeBytes, namespace, purpose };
  return await leftBehind(identity, provider, signal, (id) => retention.standsOn(copyId, id));
}

function countsOf(
  results: readonly { copyId: string; outcome: SweepOutcome }[],
  copies: readonly { copyId: string; reason: SweepReason; sizeBytes: number | null }[],
): SweepCount[] {
  const known = new Map(copies.map((copy) => [copy.copyId, copy]));
  return addCounts(
    results.map(({ copyId, outcome }) => {
      const { reason = 'deleted', sizeBytes } = known.get(copyId) ?? {};
      return { action: 'purge', reason, outcome, copies: 1, bytes: sizeBytes ?? 0 };
    }),
  );
}
