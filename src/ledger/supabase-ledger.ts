import { z } from 'zod';
import type { FileReference, NewReference } from '../domain/models.ts';
import { createDataApi, type DataApiOptions } from './data-api.ts';
import type { Ledger, Page } from './ledger.ts';
import {
  ClaimRow,
  CopyRow,
  CopyWithFileRow,
  FileRow,
  GivenIdRow,
  HeldRow,
  IdMapPageRow,
  IdMappingRow,
  ListingRow,
  MigrationItemRow,
  ProviderStateRow,
  ReferenceRow,
  storable,
  TrafficRow,
  UsageRow,
} from './rows.ts';

export type SupabaseLedgerOptions = DataApiOptions;

const ROWS_PER_PAGE = 1000;
/** Functions whose answer says no more than whether something changed. */
const Changed = z.boolean();
const Count = z.number();

/** The ledger in a Supabase project, embedded or hosted: each method is one function of `supabase/migrations`, called once. */
export function createSupabaseLedger(options: SupabaseLedgerOptions): Ledger {
  const call = createDataApi(options);
  const page = ({ after, limit }: Page) => ({ p_after: after, p_limit: limit });

  return {
    check: () => call('ledger_migrations', {}, z.array(z.string()).nullable()),

    claim: ({ content, ...request }) =>
      call(
        'claim_upload',
        {
          p_sha256: content.sha256,
          p_size_bytes: content.sizeBytes,
          p_mime_type: content.mimeType,
          p_original_name: storable(request.originalName),
          p_provider: request.provider,
          p_account: request.account,
          p_purpose: storable(request.purpose),
          p_namespace: request.namespace,
          p_owner: request.owner,
          p_idempotency_key: request.idempotencyKey,
          p_lease_seconds: request.leaseSeconds,
        },
        ClaimRow,
      ),
    renew: (copyId, owner, leaseSeconds) =>
      call('renew_upload', { p_copy_id: copyId, p_owner: owner, p_lease_seconds: leaseSeconds }, Changed),
    complete: (copyId, owner, providerFileId, expiresAt = null) =>
      call('complete_upload', { p_copy_id: copyId, p_owner: owner, p_provider_file_id: providerFileId, p_expires_at: expiresAt }, Changed),
    async fail(copyId, owner, errorCode) {
      await call('fail_upload', { p_copy_id: copyId, p_owner: owner, p_error_code: errorCode }, Changed);
    },
    async invalidate(copyId, errorCode) {
      await call('invalidate_upload', { p_copy_id: copyId, p_error_code: errorCode }, Changed);
    },

    record: ({ fileId, copyId }, owner, providerFileId, reference, expiresAt = null) =>
      call(
        'record_upload',
        {
          p_copy_id: copyId,
          p_owner: owner,
          p_provider_file_id: providerFileId,
          p_expires_at: expiresAt,
          p_file_id: fileId,
          ...referenceArguments(reference),
        },
        Changed,
      ),
    addReference: (fileId, reference) => call('add_file_reference', { p_file_id: fileId, ...referenceArguments(reference) }, ReferenceRow),
    async references(fileId) {
      const all: FileReference[] = [];
      for (let after: string | null = null; ; ) {
        const rows: FileReference[] = await call(
          'list_file_references',
          { p_file_id: fileId, ...page({ after, limit: ROWS_PER_PAGE }) },
          z.array(ReferenceRow),
        );
        all.push(...rows);
        after = rows.at(-1)?.id ?? null;
        if (rows.length < ROWS_PER_PAGE) return all;
      }
    },
    deleteReference: (referenceId) => call('delete_file_reference', { p_reference_id: referenceId }, Changed),

    file: (fileId) => call('get_file', { p_file_id: fileId }, FileRow.nullable()),
    fileByHash: (sha256) => call('get_file_by_hash', { p_sha256: sha256 }, FileRow.nullable()),
    filesByName: (name, limit) => call('find_files_by_name', { p_name: storable(name), p_limit: limit }, z.array(FileRow)),
    givenId: (id, userId) => call('find_given_id', { p_id: id, p_user_id: storable(userId) }, GivenIdRow.nullable()),
    copies: (fileId) => call('get_file_copies', { p_file_id: fileId }, z.array(CopyRow)),
    copyByProviderId: (provider, account, providerFileId) =>
      call(
        'find_copy_by_object',
        { p_provider: provider, p_account: account, p_provider_file_id: storable(providerFileId) },
        CopyWithFileRow.nullable(),
      ),
    copiesAt: (provider, account, request) =>
      call('list_copies_at', { p_provider: provider, p_account: account, ...page(request) }, z.array(CopyRow)),
    usage: (provider, account) => call('provider_usage', { p_provider: provider, p_account: account }, z.array(UsageRow)),
    list: (request) => call('list_files', page(request), z.array(ListingRow)),
    listHeldBy: (userId, { after, limit }) =>
      call('list_user_files', { p_user_id: storable(userId), p_after: after, p_limit: limit }, z.array(HeldRow)),
    async touch(fileId) {
      await call('touch_file', { p_file_id: fileId }, Changed);
    },

    softDelete: (fileId, reason, { unreferencedOnly = false } = {}) =>
      call('soft_delete_file', { p_file_id: fileId, p_reason: storable(reason), p_unreferenced_only: unreferencedOnly }, Count),
    restore: (fileId) => call('restore_file', { p_file_id: fileId }, Count),
    beginPurge: (copyId, owner, leaseSeconds) =>
      call('begin_purge', { p_copy_id: copyId, p_owner: owner, p_lease_seconds: leaseSeconds }, CopyRow.nullable()),
    async completePurge(copyId, owner) {
      await call('complete_purge', { p_copy_id: copyId, p_owner: owner }, Changed);
    },
    async failPurge(copyId, owner, errorCode) {
      await call('fail_purge', { p_copy_id: copyId, p_owner: owner, p_error_code: errorCode }, Changed);
    },

    async reportProviderState(state) {
      await call(
        'report_provider_state',
        {
          p_provider: state.provider,
          p_account: state.account,
          p_reporter: storable(state.reporter),
          p_circuit: state.circuit,
          p_last_error_code: state.lastErrorCode,
          p_last_error: storable(state.lastError),
          p_last_error_at: state.lastErrorAt,
        },
        Changed,
      );
    },
    providerStates: () => call('list_provider_states', {}, z.array(ProviderStateRow)),
    traffic: (since) => call('list_traffic', { p_since: since }, z.array(TrafficRow)),

    async recordMigrationItems(migrationId, items) {
      if (items.length === 0) return;
      const rows = items.map((item) => ({
        path: storable(item.path),
        size_bytes: item.sizeBytes,
        status: item.status,
        sha256: item.sha256,
        file_id: item.fileId,
        provider_file_id: item.providerFileId,
        verified: item.verified,
        error_code: item.errorCode,
        error: storable(item.error),
        source_provider: item.sourceProvider,
        source_id: storable(item.sourceId),
      }));
      await call('record_migration_items', { p_migration_id: migrationId, p_items: rows }, Count);
    },
    migrationItems: (migrationId, { status, ...request }) =>
      call(
        'list_migration_items',
        {
          p_migration_id: migrationId,
          p_status: status ?? null,
          p_after: request.after === null ? null : storable(request.after),
          p_limit: request.limit,
        },
        z.array(MigrationItemRow),
      ),
    idMap: ({ migrationId, ...request }) =>
      call('list_id_map', { p_migration_id: migrationId ?? null, ...page(request) }, z.array(IdMapPageRow)),
    resolveId: (oldId) => call('resolve_old_id', { p_old_id: storable(oldId) }, IdMappingRow.nullable()),
  };
}

function referenceArguments(reference: NewReference) {
  return {
    p_tool: storable(reference.tool),
    p_user_id: storable(reference.userId),
    p_name: storable(reference.name),
    p_purpose: storable(reference.purpose),
    p_context: storable(reference.context),
    p_tags: reference.tags.map((tag) => storable(tag)),
    p_keep: reference.keep,
    p_legacy_id: storable(reference.legacyId ?? null),
    p_upload_id: reference.uploadId ?? null,
  };
}
