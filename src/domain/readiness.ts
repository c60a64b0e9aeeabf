import { countOf, formatDuration, printable } from './format.ts';
import type { MigrationPhase } from './migration.ts';
import type { MigrationItem } from './models.ts';

/** Whether legacy can be switched off. What is not known is said as such, and is no yes where a no would lose files. */

export interface ItemCounts {
  uploaded: number;
  deduplicated: number;
  failed: number;
  cancelled: number;
  skipped: number;
  verifiedStored: number;
  verifiedDownload: number;
}

export const NO_ITEMS: ItemCounts = {
  ...{ uploaded: 0, deduplicated: 0, failed: 0, cancelled: 0, skipped: 0 },
  ...{ verifiedStored: 0, verifiedDownload: 0 },
};

export function countItem(counts: ItemCounts, { status, verified }: Pick<MigrationItem, 'status' | 'verified'>): ItemCounts {
  return {
    ...counts,
    [status]: counts[status] + 1,
    verifiedStored: counts.verifiedStored + (verified === 'stored' ? 1 : 0),
    verifiedDownload: counts.verifiedDownload + (verified === 'download' ? 1 : 0),
  };
}

/** When an arm of a tool was last used, and how often in the time that is looked at (0: before it). */
export interface ArmTraffic {
  tool: string;
  arm: string;
  lastAt: string;
  operations: number;
}

export interface ReadinessFacts {
  /** Null: there is no migration. */
  migrationId: string | null;
  /** As Temporal tells; null where it does not know the migration (any more). */
  temporal: { phase: MigrationPhase; listed: number } | null;
  items: ItemCounts;
  /** Items that arrived and have no id that works now: how many, and the first few. */
  unresolved: { count: number; first: readonly { oldId: string; fileId: string; provider: string | null }[] };
  quietForMs: number;
  /** Of all time. */
  traffic: readonly ArmTraffic[];
  /** Whether it is a no that nobody knows if legacy is quiet. */
  requireTraffic: boolean;
}

/** `unknown`: nobody can say. `blocks`: it is a no for the whole. */
export interface ReadinessCheck {
  name: 'migrated' | 'complete' | 'verified' | 'resolvable' | 'quiet';
  status: 'ok' | 'missing' | 'unknown';
  blocks: boolean;
  detail: string;
  /** What to do; null where nothing is to be done. */
  todo: string | null;
}

export interface Readiness {
  go: boolean;
  checks: ReadinessCheck[];
}

/** The arm of the old implementation in the operation outcomes. */
const LEGACY = 'legacy';

const check = (
  name: ReadinessCheck['name'],
  status: ReadinessCheck['status'],
  detail: string,
  todo: string | null = null,
): ReadinessCheck => ({
  ...{ name, status, blocks: status !== 'ok', detail, todo },
});

const AGAIN = 'move what is left, which sends nothing twice: npx cutover migrate <source> --verify';

export function judgeReadiness(facts: ReadinessFacts): Readiness {
  const checks =
    facts.migrationId === null
      ? [check('migrated', 'missing', 'there is no migration', 'npx cutover migrate <source> --verify')]
      : [migrated(facts, facts.migrationId), complete(facts, facts.migrationId), verified(facts), resolvable(facts)];
  checks.push(quiet(facts));
  return { go: checks.every(({ blocks }) => !blocks), checks };
}

const recorded = ({ items }: ReadinessFacts): number =>
  items.uploaded + items.deduplicated + items.failed + items.cancelled + items.skipped;
const arrived = ({ items }: ReadinessFacts): number => items.uploaded + items.deduplicated;

function migrated(facts: ReadinessFacts, id: string): ReadinessCheck {
  const { temporal } = facts;
  const found = countOf(recorded(facts), 'file');
  if (temporal === null)
    return check('migrated', 'unknown', `Temporal does not know migration ${id} any more; the ledger has ${found} of it`, AGAIN);
  if (temporal.phase === 'done' && temporal.listed === recorded(facts)) return check('migrated', 'ok', `migration ${id} is done: ${found}`);
  if (temporal.phase === 'done')
    return check(
      'migrated',
      'missing',
      `migration ${id} listed ${countOf(temporal.listed, 'file')} and the ledger has ${found} of it`,
      AGAIN,
    );
  return check(
    'migrated',
    'missing',
    `migration ${id} is ${temporal.phase}`,
    temporal.phase === 'cancelled' || temporal.phase === 'cancelling'
      ? AGAIN
      : `npx cutover migrate ${temporal.phase === 'paused' ? `resume ${id}` : `--attach ${id}`}`,
  );
}

function complete(facts: ReadinessFacts, id: string): ReadinessCheck {
  const { failed, cancelled, skipped } = facts.items;
  const left = skipped === 0 ? '' : `; ${formatSkipped(skipped)}`;
  if (failed + cancelled > 0)
    return check(
      'complete',
      'missing',
      `${countOf(failed, 'file')} failed, ${cancelled} cancelled${left}`,
      `see which: npx cutover migrate --attach ${id} --report report.csv; then ${AGAIN}`,
    );
  if (arrived(facts) === 0) return check('complete', 'missing', `no file has arrived${left}`, AGAIN);
  return check('complete', 'ok', `${countOf(arrived(facts), 'file has', 'files have')} arrived, none failed${left}`);
}

const formatSkipped = (count: number): string => `${countOf(count, 'name was', 'names were')} skipped because they are not files`;

function verified(facts: ReadinessFacts): ReadinessCheck {
  const { verifiedStored, verifiedDownload } = facts.items;
  const ways = [
    ...(verifiedDownload > 0 ? [`${countOf(verifiedDownload, 'file')} read back and hashed again`] : []),
    ...(verifiedStored > 0 ? [`${countOf(verifiedStored, 'file')} by the size and hash on record`] : []),
  ].join(', ');
  const not = arrived(facts) - verifiedStored - verifiedDownload;
  if (not <= 0 && ways !== '') return check('verified', 'ok', ways);
  return check(
    'verified',
    'missing',
    `${countOf(Math.max(0, not), 'file was', 'files were')} not verified${ways === '' ? '' : `; ${ways}`}`,
    'npx cutover migrate <source> --verify (by size and hash on record), or --verify=download (reads all of it back)',
  );
}

function resolvable(facts: ReadinessFacts): ReadinessCheck {
  const { count, first } = facts.unresolved;
  if (arrived(facts) === 0) return check('resolvable', 'missing', 'there is no old id yet', AGAIN);
  if (count === 0)
    return check('resolvable', 'ok', `${countOf(arrived(facts), 'old id leads', 'old ids lead')} to a copy that the ledger has now`);
  const named = first.map(({ oldId }) => printable(oldId)).join(', ');
  const [one] = first;
  return check(
    'resolvable',
    'missing',
    `${countOf(count, 'old id leads', 'old ids lead')} to no copy that works now: ${named}${count > first.length ? ', …' : ''}`,
    `npx cutover ensure ${one?.fileId ?? '<file>'} --to ${one?.provider ?? '<provider>'}${count > 1 ? ', and so on' : ''}`,
  );
}

/**
 * A facade that reports nothing looks like a legacy that is quiet, so silence is no proof. It is not a no by itself either: an
 * application that does not use the facade could never go.
 */
function quiet({ traffic, quietForMs, requireTraffic }: ReadinessFacts): ReadinessCheck {
  const time = formatDuration(quietForMs);
  const busy = traffic.filter(({ arm, operations }) => arm === LEGACY && operations > 0);
  if (busy.length > 0) {
    const told = busy.map(({ tool, operations, lastAt }) => `${tool} ${countOf(operations, 'operation')}, last at ${lastAt}`).join('; ');
    return check(
      'quiet',
      'missing',
      `legacy was used within ${time}: ${told}`,
      'send all of it to unified, and ask again when it was quiet for so long',
    );
  }
  const others = traffic.filter(({ operations }) => operations > 0);
  if (others.length > 0) {
    const operations = others.reduce((sum, each) => sum + each.operations, 0);
    return check('quiet', 'ok', `no operation on legacy within ${time}, ${countOf(operations, 'operation')} beside it`);
  }
  const last = traffic
    .map(({ lastAt }) => lastAt)
    .sort((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);
  return {
    ...check(
      'quiet',
      'unknown',
      last === undefined ? 'no facade has reported' : `no facade has reported within ${time}; the last time was ${last}`,
      "make sure by legacy's own logs that nobody uses it",
    ),
    blocks: requireTraffic,
  };
}
