import type { FileReference } from '../domain/models.ts';
import type { Page } from './ledger.ts';

/** A file at the old path that is a copy of an upload which unified answered. */
export interface LegacyCopy {
  legacyId: string;
  tool: string;
  userId: string | null;
  fileId: string;
  /** Whose upload it is a copy of; null: that was deleted, and the copy has to go, too. */
  referenceId: string | null;
  writtenAt: string;
}

/** An upload that unified answered. */
export interface UnifiedFile {
  referenceId: string;
  /** By which the application knows it: the upload's own, or the file's. */
  id: string;
  fileId: string;
  userId: string | null;
  name: string;
  purpose: string;
  sizeBytes: number;
  mimeType: string | null;
  sha256: string | null;
  /** Its copy at the old path; null: only unified has it. */
  legacyId: string | null;
}

/**
 * Which files of one side are files of the other, too. What legacy answered is mirrored by references with a `legacyId`; what unified
 * answered has rows of its own. Errors are those of the ledger.
 */
export interface MirrorLedger {
  /**
   * Idempotent. Another `legacyId` in the answer: that copy was there first, and counts. `held` false: the upload was deleted
   * meanwhile, and the copy is one too many.
   */
  addLegacyCopy(
    copy: Omit<LegacyCopy, 'writtenAt' | 'referenceId'> & { referenceId: string },
  ): Promise<{ legacyId: string; held: boolean }>;
  /** Of a user's uploads of a content, also of those that were deleted. */
  legacyCopies(fileId: string, userId: string | null): Promise<LegacyCopy[]>;
  /** The file at the old path is gone. False when it was no copy. */
  dropLegacyCopy(userId: string | null, legacyId: string): Promise<boolean>;
  /** Which of these ids of a page of legacy's are copies, and listed by unified already. */
  copiesAmong(userId: string | null, legacyIds: readonly string[]): Promise<string[]>;
  /** What unified holds for an upload that legacy answered. */
  mirrorsOf(userId: string | null, legacyId: string): Promise<FileReference[]>;
  /**
   * An upload arrived at unified after legacy had answered: what it holds becomes the mirror of that answer. False when it is not
   * there (any more). Idempotent. `uploadId`: its own id, where it has one.
   */
  adoptLate(late: {
    fileId: string;
    tool: string;
    userId: string | null;
    name: string;
    legacyId: string;
    uploadId?: string;
  }): Promise<boolean>;
  /** By reference; `after` is the last one's. @param since ISO 8601; null: all */
  unifiedFiles(tool: string, page: Page & { since: string | null; missingOnly: boolean }): Promise<UnifiedFile[]>;
}
