import { z } from 'zod';
import { createDataApi, type DataApiOptions } from './data-api.ts';
import type { LegacyCopy, MirrorLedger, UnifiedFile } from './mirror-ledger.ts';
import { ReferenceRow, row, storable } from './rows.ts';

const CopyRow: z.ZodType<LegacyCopy> = row(
  z.object({
    legacyId: z.string(),
    tool: z.string(),
    userId: z.string().nullable(),
    fileId: z.string(),
    referenceId: z.string().nullable(),
    writtenAt: z.string(),
  }),
);

const UnifiedFileRow: z.ZodType<UnifiedFile> = row(
  z.object({
    referenceId: z.string(),
    id: z.string(),
    fileId: z.string(),
    userId: z.string().nullable(),
    name: z.string(),
    purpose: z.string(),
    sizeBytes: z.number(),
    mimeType: z.string().nullable(),
    sha256: z.string().nullable(),
    legacyId: z.string().nullable(),
  }),
);

/** In a Supabase project: each method is one function of `supabase/migrations`, called once. */
export function createSupabaseMirrorLedger(options: DataApiOptions): MirrorLedger {
  const call = createDataApi(options);
  return {
    addLegacyCopy: ({ referenceId, fileId, tool, userId, legacyId }) =>
      call(
        'add_legacy_copy',
        {
          ...{ p_reference_id: referenceId, p_file_id: fileId, p_tool: storable(tool) },
          ...{ p_user_id: storable(userId), p_legacy_id: storable(legacyId) },
        },
        row(z.object({ legacyId: z.string(), held: z.boolean() })),
      ),
    legacyCopies: (fileId, userId) => call('list_legacy_copies', { p_file_id: fileId, p_user_id: storable(userId) }, z.array(CopyRow)),
    dropLegacyCopy: (userId, legacyId) =>
      call('drop_legacy_copy', { p_user_id: storable(userId), p_legacy_id: storable(legacyId) }, z.boolean()),
    copiesAmong: async (userId, legacyIds) =>
      legacyIds.length === 0
        ? []
        : await call(
            'list_copies_among',
            { p_user_id: storable(userId), p_legacy_ids: legacyIds.map((id) => storable(id)) },
            z.array(z.string()),
          ),
    mirrorsOf: (userId, legacyId) =>
      call('list_mirrors', { p_user_id: storable(userId), p_legacy_id: storable(legacyId) }, z.array(ReferenceRow)),
    adoptLate: ({ fileId, tool, userId, name, legacyId, uploadId = null }) =>
      call(
        'adopt_late_upload',
        {
          ...{ p_file_id: fileId, p_tool: storable(tool), p_user_id: storable(userId) },
          ...{ p_name: storable(name), p_legacy_id: storable(legacyId), p_upload_id: uploadId },
        },
        z.boolean(),
      ),
    unifiedFiles: (tool, { since, missingOnly, after, limit }) =>
      call(
        'list_unified_files',
        { p_tool: storable(tool), p_since: since, p_missing_only: missingOnly, p_after: after, p_limit: limit },
        z.array(UnifiedFileRow),
      ),
  };
}
