import { type Kysely, type RawBuilder, sql } from 'kysely';
import { z } from 'zod';

/** The body of `POST /storage/v1/object/list/<bucket>`. */
export const ListRequest = z.object({
  prefix: z.string().default(''),
  limit: z.number().int().min(1).max(10_000).catch(100).default(100),
  offset: z.number().int().min(0).catch(0).default(0),
  search: z.string().default(''),
  sortBy: z
    .object({
      column: z.enum(['name', 'created_at', 'updated_at', 'last_accessed_at']).catch('name').default('name'),
      order: z.enum(['asc', 'desc']).catch('asc').default('asc'),
    })
    .default({ column: 'name', order: 'asc' }),
});
export type ListRequest = z.infer<typeof ListRequest>;

/** The folder that an object is directly in, with the slash at its end; '' at the top. */
const FOLDER = "regexp_replace(name, '[^/]*$', '')";

/** So that a listing reads what is directly in its folder, and not all that lies below. Hashed: two long names do not fit into an index. */
export const FOLDER_INDEX = `create index if not exists objects_cutover_folder_idx on storage.objects (bucket_id, md5(${FOLDER}))`;

/**
 * Fault of 0.10.0: a listing is flat and by prefix. As hosted Storage does it: the objects directly in a folder, and its sub-folders
 * as entries without an id. Sub-folders are found by a jump over each: `0` comes behind `/`, in the order of bytes that this database
 * has. Null when there is no such bucket.
 */
export async function listFolder(database: Kysely<unknown>, bucket: string, request: ListRequest): Promise<unknown[] | null> {
  const known = await sql`select 1 from storage.buckets where id = ${bucket}`.execute(database);
  if (known.rows.length === 0) return null;
  const folder = request.prefix.replace(/^\/+|\/+$/g, '');
  const prefix = folder === '' ? '' : `${folder}/`;
  const rest = sql`substr(o.name, char_length(${prefix}::text) + 1)`;
  const firstFrom = (name: RawBuilder<unknown>) => sql`
    select split_part(${rest}, '/', 1) from storage.objects o
    where o.bucket_id = ${bucket} and o.name >= ${name} ${prefix === '' ? sql`` : sql`and o.name < ${`${folder}0`}`} and strpos(${rest}, '/') > 0
    order by o.name limit 1`;
  const { rows } = await sql`
    with recursive folders (name) as (
      (${firstFrom(sql`${prefix}::text`)})
      union all
      select (${firstFrom(sql`${prefix}::text || f.name || '0'`)}) from folders f where f.name is not null
    ), entries as (
      select name, null::uuid as id, null::timestamptz as updated_at, null::timestamptz as created_at,
        null::timestamptz as last_accessed_at, null::jsonb as metadata
      from folders where name is not null
      union all
      select ${rest}, o.id, o.updated_at, o.created_at, o.last_accessed_at,
        case jsonb_typeof(o.metadata) when 'string' then (o.metadata #>> '{}')::jsonb else o.metadata end
      from storage.objects o where o.bucket_id = ${bucket} and md5(${sql.raw(FOLDER)}) = md5(${prefix}::text)
    )
    select * from entries where starts_with(lower(name), lower(${request.search}))
    order by ${sql.ref(request.sortBy.column)} ${sql.raw(request.sortBy.order)} nulls last, name
    limit ${request.limit}::int offset ${request.offset}::int`.execute(database);
  return rows;
}
