import { givesBack } from '../domain/capabilities.ts';
import { FileNotFoundError, LedgerError, messageOf } from '../domain/errors.ts';
import { type CopyFacts, differenceOf, isDisagreement, judgeObject } from '../domain/reconciliation.ts';
import { isSampled, type VerifiedFile } from '../domain/verification.ts';
import type { MaintenanceLedger } from '../ledger/maintenance-ledger.ts';
import type { Provider } from '../providers/provider.ts';
import { atOnce } from './at-once.ts';
import { hashObject } from './file-bytes.ts';
import { listedPage } from './listed-objects.ts';

export interface VerifyOptions {
  /** From 0 to 1. */
  share: number;
  /** Whether files are read back, where the provider gives them back. */
  download: boolean;
  /** Only what the ledger has: objects that it does not know are not looked for. */
  oneWay: boolean;
  /** Files that are compared at once. */
  concurrency: number;
  signal: AbortSignal;
}

/** A file that was compared, or null for one that the sample leaves out. */
export type Verified = VerifiedFile | null;

const PAGE = 500;

/**
 * Compares what the ledger says with what a provider holds, file by file: first all that the ledger has, by the copies' id, then what
 * the provider has besides. One page is in memory at a time.
 */
export async function* verifyProvider(
  provider: Provider,
  maintenance: MaintenanceLedger,
  options: VerifyOptions,
): AsyncGenerator<Verified> {
  yield* ledgerSide(provider, maintenance, options);
  if (!options.oneWay) yield* providerSide(provider, maintenance, options);
}

async function* ledgerSide(provider: Provider, maintenance: MaintenanceLedger, options: VerifyOptions): AsyncGenerator<Verified> {
  const { share, concurrency, signal } = options;
  for (let after: string | null = null; ; ) {
    signal.throwIfAborted();
    const copies: CopyFacts[] = await maintenance.storedCopies(provider, { after, limit: PAGE });
    // In small groups, so that lines come while large files are still being read.
    for (let at = 0; at < copies.length; at += 4 * concurrency)
      yield* await atOnce(
        copies.slice(at, at + 4 * concurrency),
        concurrency,
        async (copy): Promise<Verified> => (isSampled(copy.providerFileId ?? '', share) ? await compare(provider, copy, options) : null),
      );
    if (copies.length < PAGE) return;
    after = copies.at(-1)?.copyId ?? null;
  }
}

async function compare(provider: Provider, copy: CopyFacts, { download, signal }: VerifyOptions): Promise<VerifiedFile> {
  const objectId = copy.providerFileId ?? '';
  const { fileId, name } = copy;
  const line = { provider: provider.name, objectId, fileId, name };
  const differs = (by: VerifiedFile['by'], detail: string): VerifiedFile => ({ ...line, sign: '*', by, detail });
  try {
    if (download) {
      if (!givesBack(provider.capabilities, copy.purpose))
        return { ...line, sign: '!', by: null, detail: `${provider.name} does not give the original back` };
      const { sha256, sizeBytes } = await hashObject(provider, objectId, { signal });
      if (copy.sizeBytes !== null && sizeBytes !== copy.sizeBytes) return differs('download', sizes(sizeBytes, copy));
      return sha256 === copy.sha256 ? { ...line, sign: '=', by: 'download', detail: null } : differs('download', hashes(sha256, copy));
    }
    const object = await provider.info(objectId, signal);
    if (object === null) return { ...line, sign: '+', by: null, detail: 'the object is not there' };
    const by = object.sha256 === null ? 'size' : 'hash';
    const difference = differenceOf(object, copy);
    if (difference === null) return { ...line, sign: '=', by, detail: null };
    return differs(by, difference === 'other_size' ? sizes(object.sizeBytes, copy) : hashes(object.sha256 ?? '', copy));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LedgerError) throw error;
    if (error instanceof FileNotFoundError) return { ...line, sign: '+', by: null, detail: 'the object is not there' };
    return { ...line, sign: '!', by: null, detail: messageOf(error) };
  }
}

const sizes = (found: number, { sizeBytes }: CopyFacts) => `it has ${found} bytes instead of ${sizeBytes}`;
const hashes = (found: string, { sha256 }: CopyFacts) => `its SHA-256 is ${found} instead of ${sha256}`;

/** Objects of ours on which no row stands. What is being written now is not told. */
async function* providerSide(
  provider: Provider,
  maintenance: MaintenanceLedger,
  { share, signal }: VerifyOptions,
): AsyncGenerator<Verified> {
  for (let after: string | null = null; ; ) {
    signal.throwIfAborted();
    const { objects, next } = await listedPage(provider, after, maintenance, { graceSeconds: 0, hashes: false, signal });
    for (const listed of objects) {
      const { verdict, copy } = judgeObject(listed);
      // What differs was told from the ledger's side.
      if (!isDisagreement(verdict) || verdict === 'other_size' || verdict === 'other_hash') continue;
      const { id, object } = listed;
      const line = { provider: provider.name, objectId: id, fileId: copy?.fileId ?? null, name: copy?.name ?? object.name, by: null };
      yield isSampled(id, share) ? { ...line, sign: '-', detail: WHY[verdict] ?? null } : null;
    }
    if (next === null) return;
    after = next;
  }
}

const WHY: Readonly<Record<string, string>> = {
  unknown: 'no row knows it',
  purged: 'the ledger says that it was purged',
  stranded: 'only failed uploads can have left it',
};
