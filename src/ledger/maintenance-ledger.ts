import type { BackfillItem, BackfillOutcome } from '../domain/backfill-run.ts';
import type { FileRecord } from '../domain/models.ts';
import type { Action, CopyFacts, Kind, ReconcileItem } from '../domain/reconciliation.ts';
import type { Page } from './ledger.ts';

/** A provider, and the account there. */
export interface Place {
  name: string;
  account: string;
}

/** How an object that a provider lists can be known: by its id always, by its content where its key tells that, by the copy that its name tells. */
export interface ObjectKeys {
  id: string;
  sha256: string | null;
  namespace: string | null;
  copyId: string | null;
  createdAt: string | null;
}

export interface MatchedObject {
  id: string;
  /** Made within the grace. */
  young: boolean;
  /** Every row that could stand on it, the newest first. */
  copies: CopyFacts[];
}

/** A finding, and its place in the order of its run. */
export type PlacedItem = ReconcileItem & { position: number };

/** `condemned`: it is the caller's to move. `done`: it was moved. `left`: it must stay where it is, and why. */
export type Condemned = { outcome: 'condemned' | 'done'; copyId: string } | { outcome: 'left'; why: 'changed' | 'on_hold' | 'in_use' };

/** What became of a file whose hash was recorded, or could not be. */
export type RecordedHash = { fileId: string; outcome: BackfillOutcome; duplicateOf: string | null; errorCode: string | null };
export interface HashItemCount {
  outcome: BackfillOutcome;
  /** Why files could not be read; null for the others. */
  errorCode: string | null;
  files: number;
  bytes: number;
}
export type NewHash = Pick<BackfillItem, 'fileId' | 'storagePath' | 'name' | 'sizeBytes' | 'sha256' | 'errorCode' | 'error'>;

/** The ledger's part in reconciliation, backfill and verification. Errors as of the ledger; every method may be called again. */
export interface MaintenanceLedger {
  /** The clock that decides what is old enough, ISO 8601. */
  time(): Promise<string>;
  /** One answer for each object, and a note that it was seen. One call for a page. */
  matchObjects(place: Place, objects: readonly ObjectKeys[], graceSeconds: number): Promise<MatchedObject[]>;
  /** Copies that should be there and were not seen since a time, by id. Not those changed within the grace. */
  unseenCopies(place: Place, since: string, graceSeconds: number, page: Page): Promise<CopyFacts[]>;
  /** What an account should hold for users, by the copies' id. */
  storedCopies(place: Place, page: Page): Promise<CopyFacts[]>;

  /** Idempotent by run and object (lost ones: copy). */
  recordFindings(runId: string, items: readonly ReconcileItem[]): Promise<void>;
  /** In the order in which they were found. @param after a position @param unsettled only those about which nothing was done */
  findings(runId: string, page: { after: number | null; limit: number; unsettled?: boolean }): Promise<PlacedItem[]>;
  countFindings(runId: string): Promise<{ kind: Kind; action: Action; count: number }[]>;
  settle(runId: string, position: number, action: Action, detail: string | null): Promise<void>;
  /** So that a lost copy is not handed out any more. */
  giveUpLost(runId: string, position: number): Promise<'invalidated' | 'changed'>;
  /** Takes the right to move an object; without an owner its rows are left to retention. */
  condemn(runId: string, position: number, lease: { owner: string; seconds: number } | null): Promise<Condemned>;
  /** A condemned object could not be moved. */
  release(copyId: string, owner: string): Promise<void>;
  /** Of any reconciliation that died while it moved something, once its lease has run out. How many. */
  releaseAbandoned(): Promise<number>;

  /** Files without a hash that are no known duplicates, by id. */
  unhashed(page: Page): Promise<FileRecord[]>;
  countHashes(): Promise<{ hashed: number; unhashed: number; duplicates: number }>;
  /** What became of each, in the order of their ids. A dry run says what would. Idempotent by run and file. */
  recordHashes(runId: string, items: readonly NewHash[], options: { dryRun: boolean }): Promise<RecordedHash[]>;
  hashItems(runId: string, page: Page): Promise<BackfillItem[]>;
  /** What a run has on record of the files behind one id, up to another: how many became what. Bytes are those that were read. */
  countHashItems(runId: string, range: { after: string | null; until: string | null }): Promise<HashItemCount[]>;
  /** The hash of one file, learned in passing. The file that stands for the content. */
  recordHash(fileId: string, sha256: string, sizeBytes: number): Promise<{ fileId: string; duplicate: boolean }>;
}
