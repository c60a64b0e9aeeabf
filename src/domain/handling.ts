import { type Capabilities, choosePurpose, type FileFacts, givesBack, refusalOf, USES, type Use } from './capabilities.ts';
import { FileManagementError } from './errors.ts';
import { formatBytes } from './format.ts';
import { type Held, quotaRefusal } from './quota.ts';

/** Where a file could go, as it looks now. */
export interface Candidate {
  provider: string;
  capabilities: Capabilities;
  circuit: 'closed' | 'half_open' | 'open';
  /** What the account holds; null: no limit is documented, or it could not be counted. */
  held: Held | null;
}

/** One provider that was thought of, and what came of it. */
export interface Considered {
  provider: string;
  /** The provider's own word; null where it has none for this. */
  purpose: string | null;
  taken: boolean;
  why: string;
}

export interface Route {
  provider: string;
  purpose: string;
  /** Why it stands where it does. */
  why: string;
}

export interface FileToHandle extends FileFacts {
  sizeBytes: number;
}

/**
 * Uses for which a small text may be given instead of a file: its text is all that is wanted (`extract`), or a model is to look at
 * it (`vision`). Never for `storage`, which is to keep the file, nor where an API wants a file by its id (`batch`, `code`, `voice`,
 * `fine-tune`, `evals`).
 */
export const INLINE_USES: ReadonlySet<string> = new Set<Use>(['extract', 'vision']);

/** How much may be given inline, in bytes. */
export interface InlineLimits {
  /** Of one file. */
  maxBytes: number;
  /** What is left of what a prompt may take, all files together, and the setting that says so; absent: no such limit. */
  prompt?: { bytes: number; setting: string };
}

/** Why a file cannot be given inline, whatever its bytes; null: where it is a text it can. */
export function inlineRefusal(use: string, sizeBytes: number, { maxBytes, prompt }: InlineLimits): string | null {
  if (!INLINE_USES.has(use)) return `for ${use} a file is needed`;
  if (sizeBytes > maxBytes) return `it has more than the ${maxBytes} bytes that are given inline (SMART_HANDLER_INLINE_MAX_BYTES)`;
  return prompt !== undefined && sizeBytes > prompt.bytes
    ? `it has more than the ${Math.max(0, prompt.bytes)} bytes that are left for this prompt (${prompt.setting})`
    : null;
}

/** Above this the bytes that a break wastes weigh more than anybody's preference: 64 MiB, about a minute at 10 Mbit/s. */
export const COSTLY_BYTES = 64 * 1024 * 1024;

/**
 * Which providers take a file for this use, the best first, and why the others do not. What counts, in this order:
 * 1. whether it can be used now: a provider that is left alone comes last, one that is being tried again before it;
 * 2. for `storage`, whether the file can be read back;
 * 3. for a file above COSTLY_BYTES, the price of a retry: none where a transfer is gone on with, all of its bytes where it begins
 *    again; then whether the provider keeps what it took so long to send;
 * 4. the order in which they are preferred, else their names: the order of the candidates makes no difference.
 * @param preferred the only ones that may be taken, the best first; null: all of them
 */
export function rankProviders(
  file: FileToHandle,
  use: string,
  candidates: readonly Candidate[],
  preferred: readonly string[] | null,
): { routes: Route[]; refused: Considered[] } {
  const refused: Considered[] = [];
  const fitting: { candidate: Candidate; purpose: string; rank: readonly (number | string)[] }[] = [];
  for (const candidate of candidates) {
    const { provider } = candidate;
    if (preferred !== null && !preferred.includes(provider)) continue;
    const verdict = judge(file, use, candidate);
    if ('why' in verdict) refused.push({ provider, taken: false, ...verdict });
    else fitting.push({ candidate, purpose: verdict.purpose, rank: rankOf(file, use, candidate, verdict.purpose, preferred) });
  }
  for (const provider of new Set(preferred ?? []))
    if (!candidates.some((candidate) => candidate.provider === provider))
      refused.push({ provider, purpose: null, taken: false, why: 'it is not configured' });
  fitting.sort((a, b) => compare(a.rank, b.rank));
  refused.sort((a, b) => compare([a.provider], [b.provider]));
  return {
    routes: fitting.map(({ candidate, purpose }) => ({
      provider: candidate.provider,
      purpose,
      why: praise(file, use, candidate, purpose),
    })),
    refused,
  };
}

function judge(
  file: FileToHandle,
  use: string,
  { provider, capabilities, held }: Candidate,
): { purpose: string } | { purpose: string | null; why: string } {
  const { purposes, uses, expiresAfterSeconds } = capabilities;
  const isUse = (USES as readonly string[]).includes(use);
  // A word that nobody knows is a label, which any storage takes.
  if (purposes === null && uses !== undefined && !(uses as readonly string[]).includes(isUse ? use : 'storage'))
    return { purpose: null, why: `it is good for ${uses.join(', ')}, not for ${use}` };
  let purpose: string;
  try {
    purpose = choosePurpose(provider, capabilities, use, file);
  } catch (error) {
    if (error instanceof FileManagementError) return { purpose: null, why: error.message };
    throw error;
  }
  if (use === 'storage' && expiresAfterSeconds !== null)
    return { purpose, why: `it drops files after ${Math.round(expiresAfterSeconds / 3600)} hours, so it is no storage` };
  const refusal =
    refusalOf(provider, capabilities, purpose, file) ??
    (held === null ? null : quotaRefusal(provider, capabilities, held, { purpose, sizeBytes: file.sizeBytes }));
  return refusal === null ? { purpose } : { purpose, why: refusal.message };
}

const CIRCUITS = { closed: 0, half_open: 1, open: 2 } as const;

function rankOf(
  { sizeBytes }: FileToHandle,
  use: string,
  { provider, capabilities, circuit }: Candidate,
  purpose: string,
  preferred: readonly string[] | null,
): readonly (number | string)[] {
  const isCostly = sizeBytes > COSTLY_BYTES;
  return [
    CIRCUITS[circuit],
    use === 'storage' && !givesBack(capabilities, purpose) ? 1 : 0,
    isCostly && capabilities.resumes !== true ? 1 : 0,
    isCostly && capabilities.expiresAfterSeconds !== null ? 1 : 0,
    preferred === null ? 0 : preferred.indexOf(provider),
    provider,
  ];
}

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  if (at < 0) return 0;
  return (a[at] ?? 0) < (b[at] ?? 0) ? -1 : 1;
}

function praise({ sizeBytes }: FileToHandle, use: string, { capabilities, circuit }: Candidate, purpose: string): string {
  const said = [`it takes ${formatBytes(sizeBytes)} for ${use}${purpose === use ? '' : ` (its purpose ${purpose})`}`];
  if (use === 'storage') said.push(givesBack(capabilities, purpose) ? 'gives it back' : 'does not give it back');
  if (sizeBytes > COSTLY_BYTES)
    said.push(capabilities.resumes === true ? 'goes on with a broken transfer' : 'begins a broken transfer again');
  if (circuit !== 'closed')
    said.push(circuit === 'open' ? 'but is left alone now, after several outages' : 'but has just had several outages');
  return said.join(', ');
}
