-- id_map: where something that moved is now. Old ids come from a folder (its paths) or from a provider (its ids).

alter table public.migration_items
  add column source_provider text check (char_length(source_provider) between 1 and 100),
  add column source_id text collate "C" check (source_id <> ''),
  add column provider text,
  add column account text;
comment on column public.migration_items.source_id is 'Its id at the provider that it came from; null for files of a folder, which are known by their path.';
comment on column public.migration_items.provider is 'Where it went: of the copy that stood on provider_file_id when the item was recorded; null where the ledger knew none.';

create function public.place_of_object(p_file_id uuid, p_provider_file_id text, p_source_provider text)
returns table (provider text, account text)
language sql stable set search_path = '' as $$
  select c.provider, c.account
  from public.provider_file_uploads c
  where c.file_id = public.resolve_file_id(p_file_id) and c.provider_file_id = p_provider_file_id and c.namespace = 'live'
  -- Two storages can call a content the same: what came from one of them went to the other.
  order by c.provider is distinct from p_source_provider desc, c.deleted_at is null desc, c.completed_at desc nulls last, c.id
  limit 1;
$$;
comment on function public.place_of_object is 'The provider and account of a copy of a file, by the id of its object.';

update public.migration_items i
set (provider, account) = (select p.provider, p.account from public.place_of_object(i.file_id, i.provider_file_id, null) p)
where i.file_id is not null and i.provider_file_id is not null;

create or replace function public.record_migration_items(p_migration_id text, p_items jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
  v_count integer;
begin
  insert into public.migration_items as t
    (migration_id, path, size_bytes, status, sha256, file_id, provider_file_id, verified, error_code, error, source_provider, source_id,
      provider, account)
  select item.*, place.provider, place.account
  from (
    select distinct on (i.path collate "C")
      p_migration_id, i.path, i.size_bytes, i.status, i.sha256, i.file_id, i.provider_file_id, coalesce(i.verified, 'none'), i.error_code,
      i.error, i.source_provider, i.source_id
    from rows from (jsonb_to_recordset(public.json_argument(p_items)) as (
      path text, size_bytes bigint, status text, sha256 text, file_id uuid, provider_file_id text, verified text, error_code text,
      error text, source_provider text, source_id text
    )) with ordinality as i (path, size_bytes, status, sha256, file_id, provider_file_id, verified, error_code, error, source_provider,
      source_id, position)
    -- The last one counts when a path is there twice; one order for all, so that two batches at once cannot deadlock.
    order by i.path collate "C", i.position desc
  ) item
  left join lateral public.place_of_object(item.file_id, item.provider_file_id, item.source_provider) place on true
  order by item.path collate "C"
  on conflict (migration_id, path_md5) do update set
    size_bytes = excluded.size_bytes, status = excluded.status, sha256 = excluded.sha256, file_id = excluded.file_id,
    provider_file_id = excluded.provider_file_id, verified = excluded.verified, error_code = excluded.error_code, error = excluded.error,
    source_provider = excluded.source_provider, source_id = excluded.source_id, provider = excluded.provider, account = excluded.account;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

create index migration_items_old_id_order_idx
  on public.migration_items (migration_id, left(coalesce(source_id, path), 500), md5(path))
  where status in ('uploaded', 'deduplicated') and file_id is not null;
create index migration_items_old_id_idx on public.migration_items (md5(coalesce(source_id, path)))
  where status in ('uploaded', 'deduplicated') and file_id is not null;

create view public.id_map with (security_invoker = true) as
  select i.migration_id, coalesce(i.source_id, i.path) as old_id, i.source_provider, i.path, coalesce(f.duplicate_of, i.file_id) as file_id,
    coalesce(c.provider, i.provider) as provider, c.provider_file_id, coalesce(i.sha256, stands.sha256) as sha256, i.size_bytes,
    i.created_at as recorded_at
  from public.migration_items i
  left join public.files f on f.id = i.file_id
  left join public.files stands on stands.id = coalesce(f.duplicate_of, f.id)
  left join lateral (
    select c.provider, c.provider_file_id
    from public.provider_file_uploads c
    where c.file_id = coalesce(f.duplicate_of, i.file_id) and c.namespace = 'live' and c.upload_status = 'completed'
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > clock_timestamp())
      and (i.provider is null or (c.provider = i.provider and c.account = i.account))
    order by c.provider_file_id = i.provider_file_id desc, c.completed_at desc nulls last, c.id
    limit 1
  ) c on true
  where i.status in ('uploaded', 'deduplicated') and i.file_id is not null;
comment on view public.id_map is 'Where each item of a migration that arrived is now: one row per item.';
comment on column public.id_map.old_id is 'What it was called before: its id at the provider that it came from, or its path.';
comment on column public.id_map.provider_file_id is
  'The id that works now at the provider that the item went to; null where that copy is gone or expired.';

create function public.list_id_map(p_migration_id text default null, p_after text default null, p_limit integer default 1000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(
    to_jsonb(page) || jsonb_build_object('cursor', jsonb_build_array(page.migration_id, left(page.old_id, 500), md5(page.path))::text)
    order by page.migration_id, left(page.old_id, 500), md5(page.path)), '[]')
  from (
    -- Two ways, so that each goes along the index from where the page begins.
    (select m.* from public.id_map m
    where p_migration_id is not null and m.migration_id = p_migration_id
      and (left(m.old_id, 500), md5(m.path)) > (coalesce(p_after::jsonb ->> 1, ''), coalesce(p_after::jsonb ->> 2, ''))
    order by left(m.old_id, 500), md5(m.path)
    limit least(greatest(p_limit, 1), 10000))
    union all
    (select m.* from public.id_map m
    where p_migration_id is null
      and (m.migration_id, left(m.old_id, 500), md5(m.path)) >
        (coalesce(p_after::jsonb ->> 0, ''), coalesce(p_after::jsonb ->> 1, ''), coalesce(p_after::jsonb ->> 2, ''))
    order by m.migration_id, left(m.old_id, 500), md5(m.path)
    limit least(greatest(p_limit, 1), 10000))
  ) page;
$$;
comment on function public.list_id_map is
  'The view id_map of one migration or of all, by old id in byte order (the first 500 characters), behind the cursor of a row.';

create function public.resolve_old_id(p_old_id text) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(m) from public.id_map m
  where md5(m.old_id) = md5(p_old_id) and m.old_id = p_old_id
  order by m.recorded_at desc, m.migration_id desc, m.path
  limit 1;
$$;
comment on function public.resolve_old_id is 'What an old id is now, of the newest migration that moved it; null when none did.';

revoke all on public.id_map from anon, authenticated;
grant select on public.id_map to service_role;
revoke execute on function public.place_of_object, public.list_id_map, public.resolve_old_id from public, anon, authenticated;
grant execute on function public.place_of_object, public.list_id_map, public.resolve_old_id to service_role;
