import { z } from 'zod';
import { BACKFILL_OUTCOMES, type BackfillItem } from '../domain/backfill-run.ts';
import { UploadStatus } from '../domain/models.ts';
import { ACTIONS, type CopyFacts, KINDS } from '../domain/reconciliation.ts';
import { createDataApi, type DataApiOptions } from './data-api.ts';
import type { Condemned, HashItemCount, MaintenanceLedger, Place, PlacedItem, RecordedHash } from './maintenance-ledger.ts';
import { FileRow, row, storable } from './rows.ts';

const Text = z.string().nullable();
const Bytes = z.number().nullable();
const Kind = z.enum(KINDS);

const Facts: z.ZodType<CopyFacts> = row(
  z.object({
    ...{ copyId: z.string(), fileId: z.string(), namespace: z.string(), status: UploadStatus, providerFileId: Text, purpose: z.string() },
    ...{ deleted: z.boolean(), purged: z.boolean(), leased: z.boolean(), young: z.boolean(), updatedAt: z.string() },
    ...{ sizeBytes: Bytes, sha256: Text, name: Text },
  }),
);
const Matched = z.array(z.object({ id: z.string(), young: z.boolean(), copies: z.array(Facts) }));

const Finding: z.ZodType<PlacedItem> = row(
  z.object({
    ...{ position: z.number(), provider: z.string(), account: z.string(), kind: Kind, objectId: z.string() },
    ...{ copyId: Text, fileId: Text, name: Text, namespace: Text, expectedBytes: Bytes, foundBytes: Bytes },
    ...{ expectedSha256: Text, foundSha256: Text, objectCreatedAt: Text, copyUpdatedAt: Text, action: z.enum(ACTIONS), detail: Text },
  }),
);
const Counted = z.array(z.object({ kind: Kind, action: z.enum(ACTIONS), count: z.number() }));
const CondemnedRow: z.ZodType<Condemned> = row(
  z.union([
    z.object({ outcome: z.enum(['condemned', 'done']), copyId: z.string() }),
    z.object({ outcome: z.literal('left'), why: z.enum(['changed', 'on_hold', 'in_use']) }),
  ]),
);

const Recorded: z.ZodType<RecordedHash> = row(
  z.object({ fileId: z.string(), outcome: z.enum(BACKFILL_OUTCOMES), duplicateOf: Text, errorCode: Text }),
);
const HashItem: z.ZodType<BackfillItem> = row(
  z.object({
    ...{ fileId: z.string(), outcome: z.enum(BACKFILL_OUTCOMES), storagePath: Text, name: Text, sizeBytes: Bytes, sha256: Text },
    ...{ duplicateOf: Text, errorCode: Text, error: Text },
  }),
);
const HashCount: z.ZodType<HashItemCount> = row(
  z.object({ outcome: z.enum(BACKFILL_OUTCOMES), errorCode: Text, files: z.number(), bytes: z.number() }),
);

const Changed = z.boolean();

/** The ledger's part in reconciliation and backfill in a Supabase project: each method is one function, called once. */
export function createSupabaseMaintenanceLedger(options: DataApiOptions): MaintenanceLedger {
  const call = createDataApi(options);
  const at = ({ name, account }: Place) => ({ p_provider: name, p_account: account });

  return {
    time: () => call('ledger_time', {}, z.string()),
    matchObjects: (place, objects, graceSeconds) =>
      call(
        'match_objects',
        {
          ...at(place),
          p_objects: objects.map(({ id, sha256, namespace, copyId, createdAt }) => ({
            ...{ id: storable(id), sha256, namespace, copy_id: copyId, created_at: createdAt },
          })),
          p_grace_seconds: graceSeconds,
        },
        Matched,
      ),
    unseenCopies: (place, since, graceSeconds, { after, limit }) =>
      call(
        'find_unseen_copies',
        { ...at(place), p_since: since, p_grace_seconds: graceSeconds, p_after: after, p_limit: limit },
        z.array(Facts),
      ),
    storedCopies: (place, { after, limit }) => call('list_stored_copies', { ...at(place), p_after: after, p_limit: limit }, z.array(Facts)),

    async recordFindings(runId, items) {
      if (items.length === 0) return;
      const rows = items.map((item) => ({
        ...{ provider: item.provider, account: item.account, kind: item.kind, object_id: storable(item.objectId) },
        ...{ copy_id: item.copyId, file_id: item.fileId, name: storable(item.name), namespace: item.namespace },
        ...{ expected_bytes: item.expectedBytes, found_bytes: item.foundBytes },
        ...{ expected_sha256: item.expectedSha256, found_sha256: item.foundSha256 },
        ...{ object_created_at: item.objectCreatedAt, copy_updated_at: item.copyUpdatedAt },
      }));
      await call('record_reconcile_items', { p_run_id: runId, p_items: rows }, z.number());
    },
    findings: (runId, { after, limit, unsettled = false }) =>
      call('list_reconcile_items', { p_run_id: runId, p_unsettled: unsettled, p_after: after, p_limit: limit }, z.array(Finding)),
    countFindings: (runId) => call('count_reconcile_items', { p_run_id: runId }, Counted),
    async settle(runId, position, action, detail) {
      await call('settle_reconcile_item', { p_run_id: runId, p_position: position, p_action: action, p_detail: storable(detail) }, Changed);
    },
    giveUpLost: (runId, position) =>
      call('give_up_lost_copy', { p_run_id: runId, p_position: position }, z.enum(['invalidated', 'changed'])),
    condemn: (runId, position, lease) =>
      call(
        'condemn_object',
        { p_run_id: runId, p_position: position, p_owner: lease?.owner ?? null, p_lease_seconds: lease?.seconds ?? null },
        CondemnedRow,
      ),
    async release(copyId, owner) {
      await call('release_object', { p_copy_id: copyId, p_owner: owner }, Changed);
    },
    releaseAbandoned: () => call('release_abandoned_moves', {}, z.number()),

    unhashed: ({ after, limit }) => call('find_unhashed_files', { p_after: after, p_limit: limit }, z.array(FileRow)),
    countHashes: () => call('count_hashes', {}, z.object({ hashed: z.number(), unhashed: z.number(), duplicates: z.number() })),
    async recordHashes(runId, items, { dryRun }) {
      if (items.length === 0) return [];
      const rows = items.map((item) => ({
        ...{ file_id: item.fileId, storage_path: storable(item.storagePath), name: storable(item.name), size_bytes: item.sizeBytes },
        ...{ sha256: item.sha256, error_code: item.errorCode, error: storable(item.error) },
      }));
      return await call('record_backfill_items', { p_run_id: runId, p_dry_run: dryRun, p_items: rows }, z.array(Recorded));
    },
    hashItems: (runId, { after, limit }) =>
      call('list_backfill_items', { p_run_id: runId, p_after: after, p_limit: limit }, z.array(HashItem)),
    countHashItems: (runId, { after, until }) =>
      call('count_backfill_items', { p_run_id: runId, p_after: after, p_until: until }, z.array(HashCount)),
    recordHash: (fileId, sha256, sizeBytes) =>
      call(
        'record_file_hash',
        { p_file_id: fileId, p_sha256: sha256, p_size_bytes: sizeBytes },
        row(z.object({ fileId: z.string(), duplicate: z.boolean() })) as z.ZodType<{ fileId: string; duplicate: boolean }>,
      ),
  };
}
