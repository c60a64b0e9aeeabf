import { FileManagementError } from '../domain/errors.ts';
import type { SourceItem } from '../domain/migration-item.ts';
import { type Amount, countVerdict, type Preflight, startPreflight, type Verdict } from '../domain/preflight.ts';
import { hasQuota } from '../domain/quota.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Provider } from '../providers/provider.ts';
import type { Source } from '../sources/source.ts';
import { createFileBytes, originalNotAvailable } from './file-bytes.ts';
import { checkExtension, checkFit, type Limits } from './fit.ts';
import { copyAt, destinationOf, purposeAt } from './plan.ts';

export interface PreflightDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  limits: Limits;
  /** The provider's own word, or what the files are for; `storage` unless said. */
  purpose?: string;
}

/** Questions to the ledger at once. */
const AT_ONCE = 8;
const PAGE = 500;

/**
 * What a migration will meet, as far as names, sizes and the ledger tell. Reads no content and changes nothing; memory does not
 * grow with the number of files.
 */
export async function preflightMigration(
  source: Source,
  to: string,
  { ledger, provider, limits, purpose: wanted = 'storage' }: PreflightDependencies,
  signal: AbortSignal,
): Promise<Preflight> {
  const target = provider(to);
  const bytes = createFileBytes({ ledger, provider });
  const preflight = startPreflight();

  async function verdictOf(file: SourceItem): Promise<Verdict> {
    if (file.source === null) {
      const { status, code, message } = file.problem ?? { status: 'failed', code: 'unknown', message: '' };
      return status === 'skipped' ? { outcome: 'skipped' } : { outcome: 'refused', code, why: message };
    }
    const destination = destinationOf(file, file.source, { provider: to, purpose: wanted });
    checkExtension(file.path, limits);
    checkFit(file.path, file.sizeBytes, limits, destination, target.capabilities);
    const purpose = purposeAt(target, destination, file.sizeBytes);
    if (file.source.kind === 'path') return { outcome: 'fits', purpose };
    const known = await bytes.known(file.source);
    if (known !== null && (await copyAt(target, known.sha256, purpose, ledger)) !== null) return { outcome: 'there' };
    const lost = file.givenBack === false && (known === null || !(await bytes.isElsewhere(known.sha256, file.source)));
    if (lost) throw originalNotAvailable(file.source);
    return { outcome: 'fits', purpose };
  }
  const judge = (file: SourceItem): Promise<Verdict> =>
    verdictOf(file).catch((error: unknown) => {
      if (!(error instanceof FileManagementError) || error.retryable) throw error;
      return { outcome: 'refused', code: error.code, why: error.message };
    });

  let cursor: string | null = null;
  do {
    const page = await source.page(cursor, PAGE, signal);
    for (let at = 0; at < page.items.length; at += AT_ONCE) {
      signal.throwIfAborted();
      const batch = page.items.slice(at, at + AT_ONCE);
      for (const [index, verdict] of (await Promise.all(batch.map(judge))).entries())
        countVerdict(preflight, batch[index] as SourceItem, verdict);
    }
    cursor = page.next;
  } while (cursor !== null);
  return preflight;
}

/** What the account holds, by purpose, counted at the provider itself. Asked only where a limit makes it matter. */
export async function heldAt(provider: Provider, signal: AbortSignal): Promise<Record<string, Amount> | null> {
  if (!hasQuota(provider.capabilities)) return null;
  const held: Record<string, Amount> = {};
  for await (const { objects } of provider.list({ signal }))
    for (const { purpose, sizeBytes } of objects) {
      held[purpose ?? ''] ??= { files: 0, bytes: 0 };
      const amount = held[purpose ?? ''] as Amount;
      amount.files += 1;
      amount.bytes += sizeBytes;
    }
  return held;
}
