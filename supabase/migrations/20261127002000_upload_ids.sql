-- To an application, two uploads are two files, also of the same bytes under the same name: deleting one must leave the other. An upload
-- that is told from others has an id of its own, and the application knows it by that. The content stays one row and one object.

alter table public.file_references add column upload_id uuid;
comment on column public.file_references.upload_id is
  'The id that the application was given for this upload; it is in files, too. Null: it was given the file''s own id, or none.';

drop index public.file_references_holder_key;
create unique index file_references_holder_key
  on public.file_references (file_id, tool, user_id, md5(name), md5(legacy_id), upload_id) nulls not distinct;
create unique index file_references_upload_key on public.file_references (upload_id) where upload_id is not null;

-- Ids of uploads are rows of files, so that whatever takes an id takes these, too (a foreign key of the application, `restore` after the
-- reference is gone), and no other row ever gets one.
create function public.is_upload_id(p_file public.files) returns boolean
language sql immutable set search_path = '' as $$
  select p_file.duplicate_of is not null and coalesce(p_file.metadata, '{}') @> '{"cutover": "upload"}';
$$;
comment on function public.is_upload_id is 'Whether a row of files is the id of one upload of the content that it points to.';
comment on table public.files is
  'One row per distinct content, one per row that was here before and is not hashed yet, and one for the id of each upload that has its own.';

drop function public.add_file_reference(uuid, text, text, text, text, text, text[], text, text);
create function public.add_file_reference(
  p_file_id uuid, p_tool text, p_user_id text, p_name text, p_purpose text, p_context text, p_tags text[], p_keep text,
  p_legacy_id text default null, p_upload_id uuid default null
) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_reference public.file_references;
begin
  if p_upload_id is not null then
    -- Not read by itself: only its content's row says when that was.
    insert into public.files (id, duplicate_of, original_name, mime_type, size_bytes, accessed_at, metadata)
    select p_upload_id, f.id, p_name, f.mime_type, f.size_bytes, null, '{"cutover": "upload"}'
    from public.files f where f.id = v_file_id
    on conflict (id) do nothing;
  end if;
  insert into public.file_references (file_id, tool, user_id, name, purpose, context, tags, keep, legacy_id, upload_id)
  values (v_file_id, p_tool, p_user_id, p_name, p_purpose, p_context, coalesce(p_tags, '{}'), p_keep, p_legacy_id, p_upload_id)
  on conflict (file_id, tool, user_id, md5(name), md5(legacy_id), upload_id) do update set
    purpose = excluded.purpose, context = excluded.context, tags = excluded.tags,
    -- Whoever was promised that a file is kept is not to lose it by a second upload.
    keep = case when file_references.keep = 'keep' then 'keep' else excluded.keep end
  returning * into v_reference;
  update public.files set accessed_at = clock_timestamp()
  where id = v_file_id and (accessed_at is null or accessed_at < clock_timestamp() - interval '1 minute');
  -- A sweep may have deleted the file between the claim and this reference: it has a holder again.
  if not exists (
    select from public.provider_file_uploads c
    where c.file_id = v_file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null
  ) then
    perform public.restore_file(v_file_id);
  end if;
  return to_jsonb(v_reference);
end $$;
comment on function public.add_file_reference is
  'Records who holds a file; idempotent by file, tool, user, name, the upload that it mirrors and the id of its own. PT404 for an unknown file.';

create or replace function public.delete_file_reference(p_reference_id uuid) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_reference public.file_references;
begin
  delete from public.file_references r where r.id = p_reference_id returning r.* into v_reference;
  if not found then
    return false;
  end if;
  -- The id stays, so that the file can be restored by it; what its user called the file does not.
  update public.files set original_name = null where id = v_reference.upload_id;
  return true;
end $$;

drop function public.record_upload(uuid, text, text, uuid, text, text, text, text, text, text[], text, timestamptz, text);
create function public.record_upload(
  p_copy_id uuid, p_owner text, p_provider_file_id text, p_file_id uuid, p_tool text, p_user_id text, p_name text, p_purpose text,
  p_context text, p_tags text[], p_keep text, p_expires_at timestamptz default null, p_legacy_id text default null,
  p_upload_id uuid default null
) returns boolean
language plpgsql set search_path = '' as $$
begin
  if not public.complete_upload(p_copy_id, p_owner, p_provider_file_id, p_expires_at) then
    return false;
  end if;
  perform public.add_file_reference(p_file_id, p_tool, p_user_id, p_name, p_purpose, p_context, p_tags, p_keep, p_legacy_id, p_upload_id);
  return true;
end $$;
comment on function public.record_upload is
  'The end of an upload in one transaction: the copy is there and somebody holds it. False, and nothing changed, when the claim was lost.';

create function public.find_given_id(p_id uuid, p_user_id text) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_asked public.files;
  v_file public.files;
  v_held jsonb;
begin
  select * into v_asked from public.files f where f.id = p_id;
  if not found then
    return null;
  end if;
  select * into v_file from public.files f where f.id = coalesce(v_asked.duplicate_of, v_asked.id);
  -- A content's own id is not that of its uploads which have ids of their own, or deleting by it twice would reach one of those.
  if v_asked.id = v_file.id then
    select coalesce(jsonb_agg(to_jsonb(r) order by r.created_at, r.id), '[]') into v_held
    from public.file_references r
    where r.file_id = v_file.id and r.user_id is not distinct from p_user_id and r.legacy_id is null and r.upload_id is null;
  else
    select coalesce(jsonb_agg(to_jsonb(r)), '[]') into v_held
    from public.file_references r
    where r.upload_id = p_id and r.user_id is not distinct from p_user_id and r.legacy_id is null;
  end if;
  return jsonb_build_object('file', public.file_json(v_file), 'held', v_held, 'ours', public.is_upload_id(v_asked) or (
    v_asked.id = v_file.id
    and (v_file.storage_path is null or v_held <> '[]')
    and exists (
      select from public.provider_file_uploads c
      where c.file_id = v_file.id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null)));
end $$;
comment on function public.find_given_id is
  'The file behind an id that an application was given, what a user holds under it (the oldest first), and whether unified gave it; null when unknown.';

create or replace function public.list_user_files(p_user_id text, p_after uuid default null, p_limit integer default 100) returns jsonb
language sql stable set search_path = '' as $$
  with held as (
    (
      select r.* from public.file_references r
      where r.user_id = p_user_id and r.legacy_id is null and r.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
        and exists (
          select from public.provider_file_uploads c
          where c.file_id = r.file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null)
      order by r.id
      limit least(greatest(p_limit, 1), 10000)
    )
    union all
    (
      select r.* from public.file_references r
      where p_user_id is null and r.user_id is null and r.legacy_id is null
        and r.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
        and exists (
          select from public.provider_file_uploads c
          where c.file_id = r.file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null)
      order by r.id
      limit least(greatest(p_limit, 1), 10000)
    )
  )
  select coalesce(jsonb_agg(jsonb_build_object('reference_id', held.id, 'id', coalesce(held.upload_id, held.file_id), 'file_id', held.file_id,
    'name', held.name, 'size_bytes', f.size_bytes, 'mime_type', f.mime_type, 'sha256', f.sha256) order by held.id), '[]')
  from held join public.files f on f.id = held.file_id;
$$;

create or replace function public.list_unified_files(
  p_tool text, p_since timestamptz default null, p_missing_only boolean default false, p_after uuid default null, p_limit integer default 1000
) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.reference_id), '[]')
  from (
    select r.id as reference_id, coalesce(r.upload_id, r.file_id) as id, r.file_id, r.user_id, r.name, r.purpose, f.size_bytes, f.mime_type,
      f.sha256, l.legacy_id
    from public.file_references r
    join public.files f on f.id = r.file_id
    left join public.legacy_copies l on l.reference_id = r.id
    where r.tool = p_tool and r.legacy_id is null and (p_since is null or r.updated_at >= p_since) and (p_after is null or r.id > p_after)
      and (not p_missing_only or l.id is null)
      and exists (
        select from public.provider_file_uploads c
        where c.file_id = r.file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null
      )
    order by r.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;

drop function public.adopt_late_upload(uuid, text, text, text, text);
create function public.adopt_late_upload(
  p_file_id uuid, p_tool text, p_user_id text, p_name text, p_legacy_id text, p_upload_id uuid default null
) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_reference public.file_references;
begin
  select * into v_reference from public.file_references r
  where r.file_id = v_file_id and r.tool = p_tool and r.user_id is not distinct from p_user_id and r.name = p_name and r.legacy_id is null
    and r.upload_id is not distinct from p_upload_id
  for update;
  if not found then
    return false;
  end if;
  insert into public.file_references (file_id, tool, user_id, name, purpose, context, tags, keep, legacy_id)
  values (v_file_id, p_tool, p_user_id, p_name, v_reference.purpose, v_reference.context, v_reference.tags, v_reference.keep, p_legacy_id)
  on conflict (file_id, tool, user_id, md5(name), md5(legacy_id), upload_id) do nothing;
  -- One that was written more than once is also the answer of another upload, and stays.
  if v_reference.updated_at = v_reference.created_at then
    delete from public.file_references where id = v_reference.id;
    -- Nobody was ever given its id.
    delete from public.files where id = v_reference.upload_id;
  end if;
  return true;
end $$;
comment on function public.adopt_late_upload is
  'An upload arrived here after legacy had answered: what it holds becomes the mirror of that answer. False when it is not there (any more).';

create or replace function public.count_hashes() returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'hashed', count(*) filter (where f.sha256 is not null), 'unhashed', count(*) filter (where f.sha256 is null and f.duplicate_of is null),
    'duplicates', count(*) filter (where f.duplicate_of is not null and not public.is_upload_id(f)))
  from public.files f;
$$;

revoke execute on function public.is_upload_id, public.add_file_reference, public.record_upload, public.find_given_id,
  public.adopt_late_upload from public, anon, authenticated;
grant execute on function public.is_upload_id, public.add_file_reference, public.record_upload, public.find_given_id,
  public.adopt_late_upload to service_role;
