import { createHash } from 'node:crypto';
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { FileNotFoundError, UploadError } from '../src/domain/errors.ts';
import type { FileRecord, FileReference } from '../src/domain/models.ts';
import type { CallContext, FileService, UploadFile } from '../src/facade/file-service.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { MirrorLedger } from '../src/ledger/mirror-ledger.ts';
import { readFile } from '../src/manager/download.ts';
import type { Provider } from '../src/providers/provider.ts';
import { createControlActivities } from './control.ts';
import { mapErrors } from './failures.ts';
import { heartbeating } from './heartbeat.ts';

export interface LegacyActivitiesDependencies {
  legacy: FileService;
  ledger: Ledger;
  mirrors: MirrorLedger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
}

/** A user's upload that unified answered. */
export interface UnifiedUpload {
  tool: string;
  userId: string | null;
  /** By which the application knows it: the upload's own, or the file's. */
  id: string;
}

interface Copy extends UnifiedUpload {
  name: string;
  /** Absent: the one of this id, and of this name where the id is the file's. */
  referenceId?: string;
  verify: 'stored' | 'download';
}

/** What an attempt leaves for the one after it. */
interface CopyHeartbeat {
  legacyId: string | null;
}

/** What calls the old upload path: it runs where that can be reached, on a queue of its own. */
export function createLegacyActivities({ legacy, ledger, mirrors, provider }: LegacyActivitiesDependencies) {
  const contextOf = ({ tool, userId }: UnifiedUpload, operationId: string, purpose = 'storage'): CallContext => ({
    ...{ tool, userId, operationId, purpose, signal: cancellationSignal() },
  });

  async function referenceOf(
    { tool, userId, id }: UnifiedUpload,
    { name, referenceId }: { name: string; referenceId?: string },
  ): Promise<FileReference | undefined> {
    const own = (held: FileReference) => held.tool === tool && held.userId === userId && held.legacyId == null;
    if (referenceId !== undefined) return (await ledger.references(id)).find((held) => held.id === referenceId && own(held));
    const given = (await ledger.givenId(id, userId))?.held ?? [];
    return given.find((held) => own(held) && (held.uploadId === id || held.name === name));
  }
  /** Read anew each time it is opened. */
  const asUpload = (file: FileRecord, { name }: FileReference): UploadFile => ({
    ...{ name, mimeType: file.mimeType, sizeBytes: file.sizeBytes ?? 0, path: null },
    async *open() {
      yield* (await readFile(file, { ledger, provider }, cancellationSignal())).chunks;
    },
  });
  /** Null: the copy is what unified has. */
  async function faultOf(legacyId: string, file: FileRecord, verify: 'stored' | 'download', context: CallContext): Promise<string | null> {
    const told = await legacy.info(legacyId, context);
    if (told === null) return 'it is not there';
    if (told.sizeBytes !== file.sizeBytes) return `it has ${told.sizeBytes} bytes instead of ${file.sizeBytes}`;
    const sha256 = verify === 'stored' ? told.sha256 : await hashOf(legacyId, context);
    return sha256 === null || sha256 === file.sha256 ? null : `its SHA-256 is ${sha256} instead of ${file.sha256}`;
  }
  async function hashOf(legacyId: string, context: CallContext): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of (await legacy.download(legacyId, context)).chunks) hash.update(chunk);
    return hash.digest('hex');
  }
  async function drop(legacyId: string, context: CallContext): Promise<void> {
    await legacy.delete(legacyId, context);
    await mirrors.dropLegacyCopy(context.userId, legacyId);
  }

  return mapErrors({
    ...createControlActivities({ legacy, provider }),

    /**
     * Writes a file of unified to the old path, unless it is there, and checks it: by what legacy tells of it, or by reading it back.
     * An old path knows no idempotency: what an attempt has stored is known by its heartbeat, by the ledger, and by legacy where it
     * can be asked for an operation. `gone`: the upload was deleted meanwhile.
     */
    async copyToLegacy(order: Copy): Promise<'copied' | 'there' | 'gone'> {
      const { userId, tool, verify } = order;
      const { attempt, heartbeatDetails } = activityInfo();
      const left: CopyHeartbeat = { legacyId: (heartbeatDetails as CopyHeartbeat | undefined)?.legacyId ?? null };
      return await heartbeating(left, async () => {
        const reference = await referenceOf(order, order);
        const file = reference === undefined ? null : await ledger.file(reference.fileId);
        if (reference === undefined || file === null) return 'gone';
        const context = contextOf(order, `copy:${reference.id}`, reference.purpose);
        const known = (await mirrors.legacyCopies(file.id, userId)).find((copy) => copy.referenceId === reference.id);
        const sent = known?.legacyId ?? left.legacyId ?? (await legacy.find?.(context.operationId, context))?.id;
        const stored = sent ?? (await sendUnlessDeleted(order, file, reference, context, left));
        if (stored === null) return 'gone';
        const { legacyId, held } = await mirrors.addLegacyCopy({
          referenceId: reference.id,
          fileId: file.id,
          tool,
          userId,
          legacyId: stored,
        });
        if (!held) {
          await drop(stored, context);
          return 'gone';
        }
        // Somebody else has copied it at the same time: theirs was recorded first.
        if (legacyId !== stored) await legacy.delete(stored, context);
        const fault = await faultOf(legacyId, file, verify, context);
        if (fault === null) return known !== undefined && attempt === 1 ? 'there' : 'copied';
        await drop(legacyId, context);
        left.legacyId = null;
        heartbeat(left);
        const message = `The copy of ${file.id} at legacy (${legacyId}) is damaged and was removed: ${fault}`;
        throw new UploadError(message, { code: 'verification_failed', provider: 'legacy', retryable: true });
      });
    },

    /** Whether legacy still has what it answered. Reads only. */
    async isAtLegacy(upload: UnifiedUpload): Promise<boolean> {
      return (await legacy.info(upload.id, contextOf(upload, `ask:${upload.id}`))) !== null;
    },

    /** Deletes the copies whose upload was deleted at unified. Idempotent. */
    async removeFromLegacy(upload: UnifiedUpload): Promise<void> {
      await heartbeating(undefined, async () => {
        for (const { legacyId, referenceId } of await mirrors.legacyCopies(upload.id, upload.userId))
          if (referenceId === null) await drop(legacyId, contextOf(upload, `remove:${upload.id}`));
      });
    },
  });

  /** Null: it was deleted while it was read. */
  async function sendUnlessDeleted(order: Copy, ...sent: Parameters<typeof send>): Promise<string | null> {
    try {
      return await send(...sent);
    } catch (error) {
      if (error instanceof FileNotFoundError && (await referenceOf(order, order)) === undefined) return null;
      throw error;
    }
  }
  async function send(file: FileRecord, reference: FileReference, context: CallContext, left: CopyHeartbeat): Promise<string> {
    const { id } = await legacy.upload(asUpload(file, reference), context);
    left.legacyId = id;
    heartbeat(left);
    return id;
  }
}
export type LegacyActivities = ReturnType<typeof createLegacyActivities>;
