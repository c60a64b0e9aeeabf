import { z } from 'zod';
import type { FacadeFile } from '../facade/facade.ts';
import type { StoredFile } from '../facade/file-service.ts';
import { LegacyFile, LegacyPage } from '../facade/legacy-http.ts';

/** What is answered. Files and pages are those of the contract that old endpoints keep, so that it is one in both directions. */

export const WireFile = LegacyFile;
export const WirePage = LegacyPage;
export const WireUploaded = LegacyFile.extend({
  served_by: z.enum(['legacy', 'unified']).describe('The side that keeps the file'),
  fallback: z.boolean().describe('Whether legacy answered instead of unified'),
  operation_id: z.string(),
});
export const WireError = z.object({
  code: z.string().describe('Stable, for programs'),
  message: z.string().describe('For people: what was wrong, and what to do'),
});
export const WireHealth = z.object({ status: z.literal('ok') });
export const WireReadiness = z.object({
  ready: z.boolean(),
  ledger: z.enum(['ok', 'unreachable']),
  temporal: z.enum(['ok', 'unreachable']).describe('For information: without it legacy serves'),
});

export const wireFile = ({ id, name, sizeBytes, mimeType, sha256 }: StoredFile): z.infer<typeof WireFile> => ({
  ...{ id, name, size_bytes: sizeBytes, mime_type: mimeType, sha256 },
});
export const wireUploaded = (file: FacadeFile): z.infer<typeof WireUploaded> => ({
  ...wireFile(file),
  ...{ served_by: file.servedBy, fallback: file.fallback, operation_id: file.operationId },
});
