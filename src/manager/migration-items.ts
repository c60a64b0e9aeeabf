import type { MigrationItem } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';

const PAGE = 1000;

/** Every item of a migration in the ledger, page by page, in the order of paths. @param from the path of the last one that is known */
export async function* migrationItems(
  ledger: Pick<Ledger, 'migrationItems'>,
  id: string,
  { status, from = null }: { status?: MigrationItem['status']; from?: string | null } = {},
): AsyncGenerator<MigrationItem> {
  for (let after = from; ; ) {
    const page: MigrationItem[] = await ledger.migrationItems(id, { after, limit: PAGE, ...(status === undefined ? {} : { status }) });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.path ?? null;
  }
}
