import type { UploadStatus } from './models.ts';

/**
 * How ledger and provider can disagree:
 * - `lost`: a row says that an object is there, and it is not;
 * - `unknown`: an object of ours that no row knows;
 * - `other_size`, `other_hash`: what lies there cannot be what the ledger says;
 * - `purged`: the ledger says that it was deleted, and it lives;
 * - `stranded`: only failed uploads, or ones whose lease ran out, can have left it.
 */
export const DISAGREEMENTS = ['lost', 'unknown', 'other_size', 'other_hash', 'purged', 'stranded'] as const;
export type Disagreement = (typeof DISAGREEMENTS)[number];

/** What the ledger knows of a copy, as of one moment of its clock. */
export interface CopyFacts {
  copyId: string;
  fileId: string;
  namespace: string;
  status: UploadStatus;
  providerFileId: string | null;
  purpose: string;
  deleted: boolean;
  purged: boolean;
  /** Somebody sends or purges it now. */
  leased: boolean;
  /** Changed within the grace. */
  young: boolean;
  updatedAt: string;
  /** Of its file. */
  sizeBytes: number | null;
  sha256: string | null;
  name: string | null;
}

/** What a provider lists, and what the ledger knows of it. */
export interface ListedObject {
  id: string;
  sizeBytes: number;
  /** Null where the provider knows none. */
  sha256: string | null;
  /** Made within the grace. */
  young: boolean;
  /** Whether its name says that it is one of ours. */
  ours: boolean;
  copies: readonly CopyFacts[];
}

/**
 * `young`: written or changed a moment ago, or under way: the next run will see. `awaiting_purge`: deleted, and retention has not
 * come to it yet. `foreign`: not one of ours, and none of our business.
 */
export type Judgement =
  | { verdict: 'agrees' | 'young' | 'awaiting_purge' | 'foreign'; copy: CopyFacts | null }
  | { verdict: Exclude<Disagreement, 'lost'>; copy: CopyFacts | null };

/** Compares an object with all rows that could stand on it. A row that is there counts before one that is not. */
export function judgeObject({ id, sizeBytes, sha256, young, ours, copies }: ListedObject): Judgement {
  const standing = copies.filter((copy) => copy.status === 'completed' && !copy.purged && copy.providerFileId === id);
  // One object can serve several purposes, and be deleted for one of them.
  const [copy] = [...standing.filter(({ deleted }) => !deleted), ...standing];
  if (copy !== undefined) {
    const verdict = differenceOf({ sizeBytes, sha256 }, copy);
    if (verdict === null) return { verdict: copy.deleted ? 'awaiting_purge' : 'agrees', copy };
    return { verdict: young || standing.some((each) => each.young || each.leased) ? 'young' : verdict, copy };
  }
  const [first = null] = copies;
  if (first === null) return { verdict: ours ? (young ? 'young' : 'unknown') : 'foreign', copy: null };
  if (young || copies.some((copy) => copy.leased || copy.young)) return { verdict: 'young', copy: first };
  const waiting = copies.find((copy) => copy.deleted && !copy.purged);
  if (waiting !== undefined) return { verdict: 'awaiting_purge', copy: waiting };
  // A vendor's second object of a copy whose first one counts: no row stands on it.
  const unfinished = copies.find((copy) => copy.status !== 'completed' && !copy.purged);
  if (unfinished !== undefined) return { verdict: 'stranded', copy: unfinished };
  const purged = copies.find((copy) => copy.purged);
  return purged === undefined ? { verdict: 'unknown', copy: null } : { verdict: 'purged', copy: purged };
}

/** What tells that an object is not what the ledger says; null where nothing does. */
export function differenceOf(
  object: { sizeBytes: number; sha256: string | null },
  copy: Pick<CopyFacts, 'sizeBytes' | 'sha256'>,
): 'other_size' | 'other_hash' | null {
  if (copy.sizeBytes !== null && object.sizeBytes !== copy.sizeBytes) return 'other_size';
  return copy.sha256 !== null && object.sha256 !== null && object.sha256 !== copy.sha256 ? 'other_hash' : null;
}

export const isDisagreement = (verdict: string): verdict is Disagreement => (DISAGREEMENTS as readonly string[]).includes(verdict);

/** What was done about a finding. `moved`: into the trash of its bucket; `left`: not touched, and why; `deleted`: of what was staged alone. */
export const ACTIONS = ['none', 'invalidated', 'moved', 'left_to_retention', 'left', 'failed', 'deleted'] as const;
export type Action = (typeof ACTIONS)[number];

/** Beside the disagreements: what is not Cutover's, and what Cutover has staged and never removed. */
export const KINDS = [...DISAGREEMENTS, 'foreign', 'staged'] as const;
export type Kind = (typeof KINDS)[number];

/** No upload waits so long for what is staged for it. */
const STAGED_FOR_MS = 14 * 86_400_000;

/** Whether what was staged then is nobody's by now; not where its age is not known. */
export const isLeftStaged = (createdAt: string | null, now: string): boolean =>
  createdAt !== null && Date.parse(now) - Date.parse(createdAt) > STAGED_FOR_MS;

/** One line of a reconciliation's report. */
export interface ReconcileItem {
  provider: string;
  account: string;
  kind: Kind;
  objectId: string;
  copyId: string | null;
  fileId: string | null;
  name: string | null;
  namespace: string | null;
  expectedBytes: number | null;
  foundBytes: number | null;
  /** Of the ledger; of an object without a row, what its key says. */
  expectedSha256: string | null;
  foundSha256: string | null;
  objectCreatedAt: string | null;
  copyUpdatedAt: string | null;
  action: Action;
  detail: string | null;
}

export const RECONCILE_COLUMNS = [
  'kind',
  'provider',
  'objectId',
  'name',
  'expectedBytes',
  'foundBytes',
  'expectedSha256',
  'foundSha256',
  'fileId',
  'copyId',
  'action',
  'detail',
  'account',
  'namespace',
  'objectCreatedAt',
  'copyUpdatedAt',
] as const satisfies readonly (keyof ReconcileItem)[];
