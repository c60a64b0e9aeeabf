import type { Sql } from 'postgres';

export interface Filling {
  files: number;
  /** Of these, by how long nobody has read them: kept by nobody, and due to be marked. */
  expired: number;
  /** … and deleted so long ago that their object is due to be purged. */
  purgeable: number;
  provider: string;
  account: string;
  /** Of the objects: `<prefix>/<two signs of the hash>/<hash>`, so that `<bucket>/live` gives the ids of a storage. */
  prefix: string;
}

/**
 * Rows as uploads leave them, in bulk: the first ones are due to be purged, the next ones have expired, and somebody keeps the others,
 * every second of which nobody has read for long. Their objects are not there: providers say so when they are asked to delete one.
 */
export async function fillLedger(sql: Sql, { files, expired, purgeable, provider, account, prefix }: Filling): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`
      create temporary table filling on commit drop as
      select n, gen_random_uuid() as file_id, encode(sha256(convert_to(${prefix} || n, 'UTF8')), 'hex') as sha256 from generate_series(1, ${files}::int) n`;
    await transaction`
      insert into public.files (id, sha256, size_bytes, mime_type, original_name, accessed_at)
      select file_id, sha256, 1000, 'text/plain', ${prefix} || '-' || n,
        now() - case when n <= ${purgeable + expired}::int or n % 2 = 0 then interval '40 days' else interval '1 day' end
      from filling`;
    await transaction`
      insert into public.provider_file_uploads
        (file_id, provider, account, purpose, upload_status, provider_file_id, attempts, completed_at, deleted_at, deletion_reason)
      select file_id, ${provider}, ${account}, 'storage', 'completed', ${prefix} || '/' || left(sha256, 2) || '/' || sha256, 1, now(),
        case when n <= ${purgeable}::int then now() - interval '8 days' end, case when n <= ${purgeable}::int then 'expired' end
      from filling`;
    await transaction`
      insert into public.file_references (file_id, tool, user_id, name, keep)
      select file_id, 'test', 'user-' || n % 100, ${prefix} || '-' || n, case when n <= ${purgeable + expired}::int then 'expire' else 'keep' end
      from filling where n > ${purgeable}::int`;
  });
  // As the database does by itself a minute after so many rows came.
  await sql`analyze public.files, public.provider_file_uploads, public.file_references`;
}
