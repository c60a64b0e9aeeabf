-- migration_items: what became of each file of a migration. In byte order of the path, so that a page says where the next begins.

create table public.migration_items (
  migration_id text not null check (char_length(migration_id) between 1 and 200),
  path text collate "C" not null check (path <> ''),
  -- A path can be longer than an index row.
  path_md5 text not null generated always as (md5(path)) stored,
  size_bytes bigint not null check (size_bytes >= 0),
  status text not null check (status in ('uploaded', 'deduplicated', 'failed', 'cancelled', 'skipped')),
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  file_id uuid,
  provider_file_id text,
  verified text not null default 'none' check (verified in ('none', 'stored', 'download')),
  error_code text,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (migration_id, path_md5)
);
comment on table public.migration_items is 'The report of a migration, one row per file. A record of what happened: it outlives the files it tells of.';
create index migration_items_path_idx on public.migration_items (migration_id, left(path, 500), path_md5);
create index migration_items_status_idx on public.migration_items (migration_id, status, left(path, 500), path_md5);
create index migration_items_file_idx on public.migration_items (file_id) where file_id is not null;

create trigger migration_items_updated_at before update on public.migration_items
  for each row execute function public.set_updated_at();

create function public.record_migration_items(p_migration_id text, p_items jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
  v_count integer;
begin
  insert into public.migration_items as t
    (migration_id, path, size_bytes, status, sha256, file_id, provider_file_id, verified, error_code, error)
  select distinct on (i.path collate "C")
    p_migration_id, i.path, i.size_bytes, i.status, i.sha256, i.file_id, i.provider_file_id, coalesce(i.verified, 'none'), i.error_code, i.error
  from rows from (jsonb_to_recordset(public.json_argument(p_items)) as (
    path text, size_bytes bigint, status text, sha256 text, file_id uuid, provider_file_id text, verified text, error_code text, error text
  )) with ordinality as i (path, size_bytes, status, sha256, file_id, provider_file_id, verified, error_code, error, position)
  -- The last one counts when a path is there twice; one order for all, so that two batches at once cannot deadlock.
  order by i.path collate "C", i.position desc
  on conflict (migration_id, path_md5) do update set
    size_bytes = excluded.size_bytes, status = excluded.status, sha256 = excluded.sha256, file_id = excluded.file_id,
    provider_file_id = excluded.provider_file_id, verified = excluded.verified, error_code = excluded.error_code, error = excluded.error;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.record_migration_items is 'Records files of a migration in bulk, all or nothing; idempotent by path.';

create function public.list_migration_items(
  p_migration_id text, p_status text default null, p_after text default null, p_limit integer default 1000
) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by left(page.path, 500), page.path_md5), '[]')
  from (
    select i.* from public.migration_items i
    where i.migration_id = p_migration_id and (p_status is null or i.status = p_status)
      and (p_after is null or (left(i.path, 500), i.path_md5) > (left(p_after, 500) collate "C", md5(p_after)))
    order by left(i.path, 500), i.path_md5
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_migration_items is 'The report of a migration by path in byte order (the first 500 characters), after a path, of one status or of all.';

alter table public.migration_items enable row level security;
revoke all on public.migration_items from anon, authenticated;
grant select, insert, update, delete on public.migration_items to service_role;
revoke execute on function public.record_migration_items, public.list_migration_items from public, anon, authenticated;
grant execute on function public.record_migration_items, public.list_migration_items to service_role;
