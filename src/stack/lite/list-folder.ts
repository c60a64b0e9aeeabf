import { type Kysely, sql } from 'kysely';
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

/**
 * Fault of 0.10.0: a listing is flat and by prefix. As hosted Storage does it: the objects directly in a folder, and its sub-folders
 * as entries without an id. Null when there is no such bucket.
 */
export async function listFolder(database: Kysely<unknown>, bucket: string, request: ListRequest): Promise<unknown[] | null> {
  const known = await sql`select 1 from storage.buckets where id = ${bucket}`.execute(database);
  if (known.rows.length === 0) return null;
  const folder = request.prefix.replace(/^\/+|\/+$/g, '');
  const prefix = folder === '' ? '' : `${folder}/`;
  const { rows } = await sql`
    with inside as (
      select *, substr(name, char_length(${prefix}::text) + 1) as rest
      from storage.objects where bucket_id = ${bucket} and starts_with(name, ${prefix})
    ), entries as (
      select distinct split_part(rest, '/', 1) as name, null::uuid as id, null::timestamptz as updated_at,
        null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
      from inside where strpos(rest, '/') > 0
      union all
      select rest, id, updated_at, created_at, last_accessed_at,
        case jsonb_typeof(metadata) when 'string' then (metadata #>> '{}')::jsonb else metadata end
      from inside where strpos(rest, '/') = 0
    )
    select * from entries where starts_with(lower(name), lower(${request.search}))
    order by ${sql.ref(request.sortBy.column)} ${sql.raw(request.sortBy.order)} nulls last, name
    limit ${request.limit}::int offset ${request.offset}::int`.execute(database);
  return rows;
}
