import { choosePurpose } from '../domain/capabilities.ts';
import { arrivedItem, failedItem, originOf, problemItem, type SourceItem } from '../domain/migration-item.ts';
import type { FileCopy, MigrationItem } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Provider } from '../providers/provider.ts';
import type { Source } from '../sources/source.ts';
import { createFileBytes, originalNotAvailable } from './file-bytes.ts';
import { fileNameOf } from './file-name.ts';
import type { Destination } from './fit.ts';
import { isThere } from './originals.ts';
import type { UploadStepFunctions } from './upload-steps.ts';

export interface PlanDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  steps: Pick<UploadStepFunctions, 'hash'>;
  /** The provider's own word, or what the files are for; `storage` unless said. */
  purpose?: string;
}

/** Files read at once; more does not help a disk. */
const AT_ONCE = 4;
const PAGE = 100;

/**
 * What a migration would do, page by page, without doing it: `uploaded` stands for what would be uploaded, `deduplicated` for
 * what is there already or comes twice. Reads every file that the ledger does not know; writes nothing.
 */
export async function* planMigration(
  source: Source,
  to: string,
  { ledger, provider, steps, purpose = 'storage' }: PlanDependencies,
  signal: AbortSignal,
): AsyncGenerator<MigrationItem[]> {
  const target = provider(to);
  const bytes = createFileBytes({ ledger, provider });
  const planned = new Set<string>();
  const plan = async (file: SourceItem): Promise<MigrationItem> => {
    if (file.source === null) return problemItem(file);
    const listed = { ...file, ...originOf(file) };
    try {
      const destination = destinationOf(file, file.source, { provider: to, purpose });
      const content = await steps.hash(file.source, destination, { signal });
      const { sha256, sizeBytes } = content;
      const twice = planned.has(sha256);
      planned.add(sha256);
      const there = twice ? null : await copyAt(target, sha256, purposeAt(target, destination, sizeBytes), ledger);
      const outcome = twice || there !== null ? 'deduplicated' : 'uploaded';
      if (outcome === 'uploaded' && file.source.kind === 'object' && file.givenBack === false)
        if (!(await bytes.isElsewhere(sha256, file.source))) throw originalNotAvailable(file.source);
      const { fileId = null, providerFileId = null } = there ?? {};
      return arrivedItem(listed, { outcome, sha256, sizeBytes, fileId, providerFileId, verified: 'none' });
    } catch (error) {
      signal.throwIfAborted();
      return failedItem(listed, error);
    }
  };
  let cursor: string | null = null;
  do {
    const page = await source.page(cursor, PAGE, signal);
    const items: MigrationItem[] = [];
    for (let at = 0; at < page.items.length; at += AT_ONCE)
      items.push(...(await Promise.all(page.items.slice(at, at + AT_ONCE).map(plan))));
    yield items;
    cursor = page.next;
  } while (cursor !== null);
}

/** Where a migration sends a file of its source. */
export const destinationOf = (
  file: SourceItem,
  source: NonNullable<SourceItem['source']>,
  to: Pick<Destination, 'provider' | 'purpose'>,
): Destination => ({
  ...to,
  name: fileNameOf(source, file.reference?.name ?? file.path),
  verify: 'none',
});

/** The provider's own purpose for it. */
export const purposeAt = ({ name, capabilities }: Provider, to: Destination, sizeBytes: number): string =>
  choosePurpose(name, capabilities, to.purpose, { name: to.name, sizeBytes });

/** The copy of a content that an upload would find at a provider, so that nothing is sent. */
export async function copyAt({ name, account }: Provider, sha256: string, purpose: string, ledger: Ledger): Promise<FileCopy | null> {
  const file = await ledger.fileByHash(sha256);
  const fits = (copy: FileCopy) =>
    copy.provider === name &&
    copy.account === account &&
    copy.purpose === purpose &&
    copy.namespace === 'live' &&
    isThere(copy, Date.now());
  return file === null ? null : ((await ledger.copies(file.id)).find(fits) ?? null);
}
