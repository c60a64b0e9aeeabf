import { ValidationError } from '../domain/errors.ts';
import { failedItem, problemItem, type SourceItem } from '../domain/migration-item.ts';
import type { MigrationItem } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Source } from '../sources/source.ts';
import type { UploadStepFunctions } from './upload-steps.ts';

export interface PlanDependencies {
  ledger: Ledger;
  steps: Pick<UploadStepFunctions, 'hash'>;
}

/** Files read at once; more does not help a disk. */
const AT_ONCE = 4;
const PAGE = 100;

/**
 * What a migration would do, page by page, without doing it: `uploaded` stands for what would be uploaded, `deduplicated` for
 * what is there already or comes twice. Reads every file and asks the ledger; writes nothing.
 */
export async function* planMigration(
  source: Source,
  provider: string,
  { ledger, steps }: PlanDependencies,
  signal: AbortSignal,
): AsyncGenerator<MigrationItem[]> {
  const planned = new Set<string>();
  const plan = async (file: SourceItem): Promise<MigrationItem> => {
    if (file.source === null) return problemItem(file);
    try {
      const { sha256, sizeBytes } = await steps.hash(file.source, { provider, name: file.reference?.name ?? file.path }, { signal });
      const there = planned.has(sha256) ? null : await copyOf(sha256, provider, ledger);
      const status = planned.has(sha256) || there !== null ? 'deduplicated' : 'uploaded';
      planned.add(sha256);
      const { fileId = null, providerFileId = null } = there ?? {};
      return { path: file.path, sizeBytes, status, sha256, fileId, providerFileId, verified: 'none', errorCode: null, error: null, sourceProvider: null, sourceId: null };
    } catch (error) {
      if (error instanceof ValidationError || !signal.aborted) return failedItem(file, error);
      throw error;
    }
  };
  let cursor: string | null = null;
  do {
    const page = await source.page(cursor, PAGE);
    const items: MigrationItem[] = [];
    for (let at = 0; at < page.items.length; at += AT_ONCE)
      items.push(...(await Promise.all(page.items.slice(at, at + AT_ONCE).map(plan))));
    yield items;
    cursor = page.next;
  } while (cursor !== null);
}

async function copyOf(sha256: string, provider: string, ledger: Ledger): Promise<{ fileId: string; providerFileId: string } | null> {
  const file = await ledger.fileByHash(sha256);
  if (file === null) return null;
  for (const copy of await ledger.copies(file.id))
    if (
      copy.provider === provider &&
      copy.namespace === 'live' &&
      copy.status === 'completed' &&
      copy.purgedAt === null &&
      copy.providerFileId !== null
    )
      return { fileId: file.id, providerFileId: copy.providerFileId };
  return null;
}
