import { FileNotFoundError, ValidationError } from '../domain/errors.ts';
import { printable } from '../domain/format.ts';
import { FileId, type FileRecord, Sha256 } from '../domain/models.ts';
import type { FileListing, Ledger } from '../ledger/ledger.ts';

const PAGE = 1000;

/** Every file of the ledger, page by page. @param from the id of the last one that is known */
export async function* allFiles(
  ledger: Pick<Ledger, 'list'>,
  limit = Number.POSITIVE_INFINITY,
  from: string | null = null,
): AsyncGenerator<FileListing> {
  let after = from;
  for (let left = limit; left > 0; ) {
    const size = Math.min(PAGE, left);
    const page: FileListing[] = await ledger.list({ after, limit: size });
    yield* page;
    if (page.length < size) return;
    left -= size;
    after = page.at(-1)?.id ?? null;
  }
}

type Finds = Pick<Ledger, 'file' | 'fileByHash' | 'filesByName' | 'resolveId'>;

/**
 * The file that a person means by its id, its SHA-256, a name that somebody gave it, or what it was called before it moved.
 * @throws FileNotFoundError; ValidationError when several files have the name.
 */
export async function findFile(ledger: Finds, given: string): Promise<FileRecord> {
  const exact = await findExactly(ledger, given);
  if (exact !== null) return exact;
  const named = await ledger.filesByName(given, 11);
  const [first, ...others] = named;
  if (first === undefined) {
    const moved = await ledger.resolveId(given);
    const file = moved === null ? null : await ledger.file(moved.fileId);
    if (file !== null) return file;
    throw new FileNotFoundError(
      `The ledger knows no file ${printable(given)} (looked for an id, a SHA-256, a name and an old id). See them with: npx cutover list`,
      { code: 'file_not_found' },
    );
  }
  if (others.length > 0)
    throw new ValidationError(
      `Several files are named ${printable(given)}; say which by its id:\n${named
        .slice(0, 10)
        .map(({ id, sha256 }) => `  ${id}  ${sha256 ?? ''}`)
        .join('\n')}`,
      {
        code: 'name_ambiguous',
      },
    );
  return first;
}

async function findExactly(ledger: Finds, given: string): Promise<FileRecord | null> {
  if (FileId.safeParse(given).success) return await ledger.file(given);
  const hash = given.toLowerCase();
  return Sha256.safeParse(hash).success ? await ledger.fileByHash(hash) : null;
}
