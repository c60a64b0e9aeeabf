-- Ids of uploads are no contents: a sweep has nothing to lock them for, which would write each of them anew every night. And a file that
-- turns out to hold a content keeps its own reference beside an upload that has an id of its own: giving that one up leaves the other.

create or replace function public.sweep_expired(p_run_id uuid, p_after uuid default null, p_limit integer default 1000) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_run public.sweep_runs := public.sweep_run(p_run_id);
  v_limit integer := least(greatest(p_limit, 1), 10000);
  v_before timestamptz := v_run.started_at - public.sweep_days(v_run.rules, 'retentionDays');
  v_seen integer;
  v_last uuid;
  v_ids uuid[];
  v_copies bigint;
  v_bytes bigint;
begin
  -- A page is so many files looked at, not found: one call takes the same time in a ledger of any size.
  select count(*), (array_agg(f.id order by f.id desc))[1],
    coalesce(array_agg(f.id) filter (where coalesce(f.accessed_at, f.created_at) < v_before and not f.is_upload_id), '{}')
  into v_seen, v_last, v_ids
  from (
    select f.id, f.accessed_at, f.created_at, public.is_upload_id(f) as is_upload_id from public.files f
    where p_after is null or f.id > p_after
    order by f.id limit v_limit
  ) f;
  if not v_run.dry_run then
    v_ids := public.lock_free_files(v_ids);
  end if;
  with going as (
    select * from public.unkept_copies(v_ids, v_before)
  ), marked as (
    update public.provider_file_uploads c set deleted_at = clock_timestamp(), deletion_reason = 'expired'
    from going where not v_run.dry_run and c.id = going.copy_id
    returning c.id
  ), recorded as (
    insert into public.sweep_items (run_id, action, reason, copy_id, file_id, provider, account, size_bytes, outcome)
    select p_run_id, 'mark', 'expired', g.copy_id, g.file_id, g.provider, g.account, g.size_bytes,
      case when v_run.dry_run then 'planned' else 'done' end
    from going g
    where v_run.dry_run or g.copy_id in (select m.id from marked m)
    order by g.copy_id
    on conflict do nothing
    returning size_bytes
  )
  select count(*), coalesce(sum(r.size_bytes), 0)::bigint into v_copies, v_bytes from recorded r;
  return jsonb_build_object('next', case when v_seen = v_limit then v_last end, 'copies', v_copies, 'bytes', v_bytes);
end $$;

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
          and r.legacy_id is not distinct from old.legacy_id and r.upload_id is not distinct from old.upload_id);
      update public.file_references set file_id = v_first where file_id = p_file_id;
      update public.files set duplicate_of = v_first, size_bytes = p_size_bytes where id = p_file_id;
      v_file.duplicate_of := v_first;
    end;
  end if;
  return jsonb_build_object('file_id', coalesce(v_file.duplicate_of, p_file_id), 'duplicate', v_file.duplicate_of is not null);
end $$;
