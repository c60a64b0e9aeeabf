/** The type to send with an object: Supabase and some S3 storages would parse a body that says it is a form. */
export function wireType(mimeType: string): string {
  return /^multipart\//i.test(mimeType) ? 'application/octet-stream' : mimeType;
}
