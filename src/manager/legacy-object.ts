/**
 * The id, at a storage, of an object that an application put there itself: its bucket, and the `storage_path` of its row, which some
 * applications write with a slash or with the bucket in front.
 */
export function legacyObjectId(bucket: string, storagePath: string): string {
  const path = storagePath.replace(/^\/+/, '');
  return path.startsWith(`${bucket}/`) ? path : `${bucket}/${path}`;
}
