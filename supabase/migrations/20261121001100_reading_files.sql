-- Reading: one file, the copies of a file, and the list of all.

-- By hash: names can be longer than an index row.
create index files_cutover_original_name_idx on public.files (md5(original_name));
create index file_references_name_idx on public.file_references (md5(name));

create function public.file_json(p_file public.files) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('id', p_file.id, 'sha256', p_file.sha256, 'size_bytes', p_file.size_bytes, 'mime_type', p_file.mime_type,
    'original_name', p_file.original_name, 'storage_path', p_file.storage_path, 'duplicate_of', p_file.duplicate_of,
    'created_at', p_file.created_at, 'accessed_at', p_file.accessed_at);
$$;
comment on function public.file_json is 'A file without the columns that an application may have added to the table.';

create function public.get_file(p_file_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select public.file_json(f) from public.files f where f.id = public.resolve_file_id(p_file_id);
$$;
comment on function public.get_file is 'The file that an id, old or new, stands for; null when unknown.';

create function public.get_file_by_hash(p_sha256 text) returns jsonb
language sql stable set search_path = '' as $$
  select public.file_json(f) from public.files f where f.sha256 = p_sha256;
$$;

create function public.find_files_by_name(p_name text, p_limit integer default 10) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(public.file_json(f) order by f.id), '[]')
  from (
    select f.* from public.files f
    where f.id in (
      select r.file_id from public.file_references r where md5(r.name) = md5(p_name) and r.name = p_name
      union
      select public.resolve_file_id(o.id) from public.files o where md5(o.original_name) = md5(p_name) and o.original_name = p_name)
    order by f.id
    limit least(greatest(p_limit, 1), 1000)
  ) f;
$$;
comment on function public.find_files_by_name is 'Files that somebody calls by this name, or that came under it.';

create function public.get_file_copies(p_file_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(c) order by c.created_at, c.id), '[]')
  from public.provider_file_uploads c where c.file_id = public.resolve_file_id(p_file_id);
$$;
comment on function public.get_file_copies is 'All rows of a file''s copies, also failed and deleted ones, oldest first.';

create function public.list_file_references(p_file_id uuid, p_after uuid default null, p_limit integer default 1000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.id), '[]')
  from (
    select r.* from public.file_references r
    where r.file_id = public.resolve_file_id(p_file_id) and (p_after is null or r.id > p_after)
    order by r.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;

create function public.list_files(p_after uuid default null, p_limit integer default 1000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(public.file_json(f) || jsonb_build_object(
    'names', (
      select coalesce(jsonb_agg(n.name order by n.created_at, n.id), '[]')
      from (
        select r.id, r.name, r.created_at from public.file_references r where r.file_id = f.id order by r.created_at, r.id limit 20
      ) n),
    'references', (select count(*) from public.file_references r where r.file_id = f.id),
    'copies', (
      select jsonb_agg(jsonb_build_object(
        'provider', c.provider, 'upload_status', c.upload_status, 'provider_file_id', c.provider_file_id) order by c.created_at, c.id)
      from public.provider_file_uploads c
      where c.file_id = f.id and c.namespace = 'live' and c.deleted_at is null and c.upload_status <> 'failed')
  ) order by f.id), '[]')
  from (
    select f.* from public.files f
    where (p_after is null or f.id > p_after)
      and exists (
        select from public.provider_file_uploads c
        where c.file_id = f.id and c.namespace = 'live' and c.deleted_at is null and c.upload_status <> 'failed')
    order by f.id
    limit least(greatest(p_limit, 1), 10000)
  ) f;
$$;
comment on function public.list_files is
  'Files with a live copy, by id, with their live copies, the number of their references and the oldest 20 names.';

create function public.record_file_hash(p_file_id uuid, p_sha256 text, p_size_bytes bigint) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_file public.files;
  v_first uuid;
begin
  select * into v_file from public.files where id = p_file_id for no key update;
  if not found then
    raise exception 'the ledger has no file %', p_file_id using errcode = 'PT404', detail = 'file_not_found';
  end if;
  if v_file.sha256 is not null and v_file.sha256 <> p_sha256 then
    raise exception 'file % is on record with hash % and was read with hash %', p_file_id, v_file.sha256, p_sha256
      using errcode = 'PT409', detail = 'hash_mismatch';
  end if;
  if v_file.duplicate_of is null and v_file.sha256 is null then
    begin
      update public.files set sha256 = p_sha256, size_bytes = p_size_bytes where id = p_file_id;
    exception when unique_violation then
      select id into strict v_first from public.files where sha256 = p_sha256 for no key update;
      delete from public.file_references old where old.file_id = p_file_id and exists (
        select from public.file_references r
        where r.file_id = v_first and r.tool = old.tool and r.user_id is not distinct from old.user_id and r.name = old.name);
      update public.file_references set file_id = v_first where file_id = p_file_id;
      update public.files set duplicate_of = v_first, size_bytes = p_size_bytes where id = p_file_id;
      v_file.duplicate_of := v_first;
    end;
  end if;
  return jsonb_build_object('file_id', coalesce(v_file.duplicate_of, p_file_id), 'duplicate', v_file.duplicate_of is not null);
end $$;
comment on function public.record_file_hash is
  'The hash of a file that was recorded without one. Content that is there already makes it a duplicate: it keeps its id, and its references move.';

revoke execute on function public.file_json, public.get_file, public.get_file_by_hash, public.find_files_by_name, public.get_file_copies, public.list_file_references,
  public.list_files, public.record_file_hash from public, anon, authenticated;
grant execute on function public.file_json, public.get_file, public.get_file_by_hash, public.find_files_by_name, public.get_file_copies, public.list_file_references,
  public.list_files, public.record_file_hash to service_role;
