import { createHash } from 'node:crypto';
import type { NewReference } from '../domain/models.ts';

/**
 * The id of one upload: what is the same upload has the same, so that trying it again makes no second file.
 * A UUID of version 8 (RFC 9562, 5.8) over what tells uploads apart.
 */
export function uploadIdOf(fileId: string, { tool, userId, name }: NewReference, distinctBy: string): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify([fileId, tool, userId, name, distinctBy]))
    .digest();
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
