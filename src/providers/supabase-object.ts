import { type StoredObject, storedObjectOf } from './provider.ts';

export interface ObjectInfo {
  size?: number | null;
  content_type?: string | null;
  created_at?: string | null;
  metadata?: { size?: number; contentLength?: number; mimetype?: string } | null;
}

/** Supabase Storage tells size and type at the top, Supabase Lite below `metadata`. */
export function storedObject(id: string, info: ObjectInfo): StoredObject {
  return storedObjectOf({
    id,
    sizeBytes: Number(info.size ?? info.metadata?.size ?? info.metadata?.contentLength),
    mimeType: info.content_type ?? info.metadata?.mimetype ?? null,
    createdAt: info.created_at ?? null,
    name: id.split('/').at(-1) ?? null,
  });
}
