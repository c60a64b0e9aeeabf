-- Files that both sides have. Where legacy answered, the reference at unified says which of its uploads it mirrors; where unified
-- answered, a row of legacy_copies says which file at legacy is the same.

alter table public.file_references add column legacy_id text check (char_length(legacy_id) between 1 and 4096);
comment on column public.file_references.legacy_id is
  'The upload at the old path that this reference mirrors: the application knows it by that id. Null: the application was given the file''s own id.';

-- An upload that the old path answered holds the content by itself, also beside one that was answered here: deleting one of them must
-- not take the other away.
drop index public.file_references_holder_key;
create unique index file_references_holder_key
  on public.file_references (file_id, tool, user_id, md5(name), md5(legacy_id)) nulls not distinct;
create index file_references_legacy_idx on public.file_references (md5(legacy_id)) where legacy_id is not null;
create index file_references_tool_idx on public.file_references (tool, id) where legacy_id is null;

drop function public.add_file_reference(uuid, text, text, text, text, text, text[], text);
create function public.add_file_reference(
  p_file_id uuid, p_tool text, p_user_id text, p_name text, p_purpose text, p_context text, p_tags text[], p_keep text,
  p_legacy_id text default null
) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_reference public.file_references;
begin
  insert into public.file_references (file_id, tool, user_id, name, purpose, context, tags, keep, legacy_id)
  values (v_file_id, p_tool, p_user_id, p_name, p_purpose, p_context, coalesce(p_tags, '{}'), p_keep, p_legacy_id)
  on conflict (file_id, tool, user_id, md5(name), md5(legacy_id)) do update set
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
  'Records who holds a file; idempotent by file, tool, user, name and the upload that it mirrors. PT404 for an unknown file.';

drop function public.record_upload(uuid, text, text, uuid, text, text, text, text, text, text[], text, timestamptz);
create function public.record_upload(
  p_copy_id uuid, p_owner text, p_provider_file_id text, p_file_id uuid, p_tool text, p_user_id text, p_name text, p_purpose text,
  p_context text, p_tags text[], p_keep text, p_expires_at timestamptz default null, p_legacy_id text default null
) returns boolean
language plpgsql set search_path = '' as $$
begin
  if not public.complete_upload(p_copy_id, p_owner, p_provider_file_id, p_expires_at) then
    return false;
  end if;
  perform public.add_file_reference(p_file_id, p_tool, p_user_id, p_name, p_purpose, p_context, p_tags, p_keep, p_legacy_id);
  return true;
end $$;
comment on function public.record_upload is
  'The end of an upload in one transaction: the copy is there and somebody holds it. False, and nothing changed, when the claim was lost.';

-- As before, but for references that mirror different uploads, of which both stay.
create or replace function public.record_file_hash(p_file_id uuid, p_sha256 text, p_size_bytes bigint) returns jsonb
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
        where r.file_id = v_first and r.tool = old.tool and r.user_id is not distinct from old.user_id and r.name = old.name
          and r.legacy_id is not distinct from old.legacy_id);
      update public.file_references set file_id = v_first where file_id = p_file_id;
      update public.files set duplicate_of = v_first, size_bytes = p_size_bytes where id = p_file_id;
      v_file.duplicate_of := v_first;
    end;
  end if;
  return jsonb_build_object('file_id', coalesce(v_file.duplicate_of, p_file_id), 'duplicate', v_file.duplicate_of is not null);
end $$;

create or replace function public.list_user_files(p_user_id text, p_after uuid default null, p_limit integer default 100) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.reference_id), '[]')
  from (
    select r.id as reference_id, r.file_id, r.name, f.size_bytes, f.mime_type, f.sha256
    from public.file_references r
    join public.files f on f.id = r.file_id
    where r.user_id is not distinct from p_user_id and (p_after is null or r.id > p_after)
      -- What legacy answered is listed there.
      and r.legacy_id is null
      and exists (
        select from public.provider_file_uploads c
        where c.file_id = r.file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null
      )
    order by r.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_user_files is
  'What a user holds, one row for each reference, by its id; nobody''s where the user is null. Mirrors of uploads that legacy answered are left out.';

create table public.legacy_copies (
  id uuid primary key default gen_random_uuid(),
  legacy_id text not null check (char_length(legacy_id) between 1 and 4096),
  tool text not null check (char_length(tool) between 1 and 100),
  user_id text check (char_length(user_id) between 1 and 500),
  file_id uuid not null references public.files (id),
  -- The copy outlives the reference: legacy still has to be told, and must not list it meanwhile.
  reference_id uuid references public.file_references (id) on delete set null,
  written_at timestamptz not null default clock_timestamp()
);
comment on table public.legacy_copies is
  'Files at the old path that are copies of uploads which unified answered: the application knows them by the id of the file here.';
comment on column public.legacy_copies.reference_id is 'Whose upload it is a copy of; null once that is deleted: then the copy has to go, too.';
create unique index legacy_copies_legacy_key on public.legacy_copies (md5(legacy_id), user_id) nulls not distinct;
create unique index legacy_copies_reference_key on public.legacy_copies (reference_id) where reference_id is not null;
create index legacy_copies_file_idx on public.legacy_copies (file_id);

create function public.add_legacy_copy(p_reference_id uuid, p_file_id uuid, p_tool text, p_user_id text, p_legacy_id text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_copy public.legacy_copies;
  v_held boolean := exists (select from public.file_references r where r.id = p_reference_id);
begin
  select * into v_copy from public.legacy_copies c where c.reference_id = p_reference_id;
  if found then
    return jsonb_build_object('legacy_id', v_copy.legacy_id, 'held', true);
  end if;
  insert into public.legacy_copies (legacy_id, tool, user_id, file_id, reference_id)
  values (p_legacy_id, p_tool, p_user_id, v_file_id, case when v_held then p_reference_id end)
  on conflict (md5(legacy_id), user_id) do nothing;
  return jsonb_build_object('legacy_id', p_legacy_id, 'held', v_held);
end $$;
comment on function public.add_legacy_copy is
  'Records that a file at legacy is a copy of an upload here: {legacy_id, held}. Another id: that copy was there first. Not held: the upload was deleted meanwhile.';

create function public.list_legacy_copies(p_file_id uuid, p_user_id text) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(c) - 'id' order by c.written_at, c.id), '[]')
  from public.legacy_copies c
  where c.user_id is not distinct from p_user_id and c.file_id in (
    select f.id from public.files f
    where f.id = public.resolve_file_id(p_file_id) or f.duplicate_of = public.resolve_file_id(p_file_id));
$$;
comment on function public.list_legacy_copies is 'The copies at legacy of a user''s uploads of a content, also of deleted ones.';

create function public.drop_legacy_copy(p_user_id text, p_legacy_id text) returns boolean
language plpgsql set search_path = '' as $$
begin
  delete from public.legacy_copies c
  where md5(c.legacy_id) = md5(p_legacy_id) and c.legacy_id = p_legacy_id and c.user_id is not distinct from p_user_id;
  return found;
end $$;
comment on function public.drop_legacy_copy is 'The copy at legacy is gone. False when there was none.';

create function public.list_copies_among(p_user_id text, p_legacy_ids jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(c.legacy_id), '[]')
  from jsonb_array_elements_text(public.json_argument(p_legacy_ids)) as given (id)
  join public.legacy_copies c
    on md5(c.legacy_id) = md5(given.id) and c.legacy_id = given.id and c.user_id is not distinct from p_user_id;
$$;
comment on function public.list_copies_among is 'Which of these files at legacy are copies of uploads that unified answered, and are listed by it.';

create function public.list_mirrors(p_user_id text, p_legacy_id text) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(r) order by r.created_at, r.id), '[]')
  from public.file_references r
  where md5(r.legacy_id) = md5(p_legacy_id) and r.legacy_id = p_legacy_id and r.user_id is not distinct from p_user_id;
$$;
comment on function public.list_mirrors is 'The references that mirror an upload which legacy answered.';

create function public.adopt_late_upload(p_file_id uuid, p_tool text, p_user_id text, p_name text, p_legacy_id text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_reference public.file_references;
begin
  select * into v_reference from public.file_references r
  where r.file_id = v_file_id and r.tool = p_tool and r.user_id is not distinct from p_user_id and r.name = p_name and r.legacy_id is null
  for update;
  if not found then
    return false;
  end if;
  insert into public.file_references (file_id, tool, user_id, name, purpose, context, tags, keep, legacy_id)
  values (v_file_id, p_tool, p_user_id, p_name, v_reference.purpose, v_reference.context, v_reference.tags, v_reference.keep, p_legacy_id)
  on conflict (file_id, tool, user_id, md5(name), md5(legacy_id)) do nothing;
  -- One that was written more than once is also the answer of another upload, and stays.
  if v_reference.updated_at = v_reference.created_at then
    delete from public.file_references where id = v_reference.id;
  end if;
  return true;
end $$;
comment on function public.adopt_late_upload is
  'An upload arrived here after legacy had answered: what it holds becomes the mirror of that answer. False when it is not there (any more).';

create function public.list_unified_files(
  p_tool text, p_since timestamptz default null, p_missing_only boolean default false, p_after uuid default null, p_limit integer default 1000
) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.reference_id), '[]')
  from (
    select r.id as reference_id, r.file_id, r.user_id, r.name, r.purpose, f.size_bytes, f.mime_type, f.sha256, l.legacy_id
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
comment on function public.list_unified_files is
  'A tool''s uploads that unified answered (since then), by reference, each with its copy at legacy; on request only those without one.';

alter table public.legacy_copies enable row level security;
revoke all on public.legacy_copies from anon, authenticated;
grant select, insert, update, delete on public.legacy_copies to service_role;
revoke execute on function public.add_file_reference, public.record_upload, public.add_legacy_copy, public.list_legacy_copies,
  public.drop_legacy_copy, public.list_copies_among, public.list_mirrors, public.adopt_late_upload, public.list_unified_files
  from public, anon, authenticated;
grant execute on function public.add_file_reference, public.record_upload, public.add_legacy_copy, public.list_legacy_copies,
  public.drop_legacy_copy, public.list_copies_among, public.list_mirrors, public.adopt_late_upload, public.list_unified_files
  to service_role;
