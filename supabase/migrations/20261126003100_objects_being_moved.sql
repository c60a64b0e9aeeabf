-- An object that reconciliation moves into the trash is no other's to delete, also where the move was broken off: it is given back
-- when the next reconciliation begins, and found again.

create function public.is_being_moved(p_deletion_reason text) returns boolean
language sql immutable set search_path = '' as $$
  select coalesce(p_deletion_reason like 'reconcile % moving', false);
$$;
comment on function public.is_being_moved is 'Whether a copy was marked as deleted because reconciliation moves its object.';

create function public.release_abandoned_moves() returns integer
language plpgsql set search_path = '' as $$
declare
  v_id uuid;
  v_copy public.provider_file_uploads;
  v_count integer := 0;
begin
  for v_id in
    select c.id from public.provider_file_uploads c
    where c.deleted_at is not null and c.purged_at is null and public.is_being_moved(c.deletion_reason) and c.lease_expires_at <= clock_timestamp()
    order by c.file_id, c.id
  loop
    v_copy := public.lock_copy(v_id);
    if v_copy.deleted_at is not null and v_copy.purged_at is null and public.is_being_moved(v_copy.deletion_reason)
      and v_copy.lease_expires_at <= clock_timestamp() and public.release_object(v_id, v_copy.lease_owner) then
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end $$;
comment on function public.release_abandoned_moves is
  'Gives back what a reconciliation condemned and has not moved before its lease ran out: failed uploads again, which the next one finds. How many.';

create or replace function public.due_purges(p_run_id uuid, p_owner text, p_after uuid default null, p_limit integer default 200) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_run public.sweep_runs := public.sweep_run(p_run_id);
  v_limit integer := least(greatest(p_limit, 1), 10000);
  -- What this sweep itself marks is not due in it, however short the grace is: a dry run could not tell.
  v_before timestamptz := v_run.started_at - public.sweep_days(v_run.rules, 'graceDays');
  v_review boolean := coalesce((v_run.rules ->> 'includeReview')::boolean, false);
  v_window uuid[];
  v_copies jsonb;
begin
  select coalesce(array_agg(c.id order by c.id), '{}') into v_window
  from (
    select c.id from public.provider_file_uploads c
    where c.deleted_at is not null and c.purged_at is null and (p_after is null or c.id > p_after)
    order by c.id limit v_limit
  ) c;
  select coalesce(jsonb_agg(jsonb_build_object(
    'copy_id', c.id, 'file_id', c.file_id, 'provider', c.provider, 'account', c.account,
    'reason', public.sweep_reason(c.deletion_reason), 'size_bytes', coalesce(f.size_bytes, 0)) order by c.id), '[]') into v_copies
  from public.provider_file_uploads c join public.files f on f.id = c.file_id
  where c.id = any (v_window) and c.deleted_at is not null and c.purged_at is null
    and c.deleted_at < v_before
    and not public.is_being_moved(c.deletion_reason)
    and (v_review or not c.needs_review)
    and (c.lease_expires_at is null or c.lease_expires_at <= clock_timestamp() or c.lease_owner = p_owner)
    and not exists (select from public.provider_file_uploads h where h.file_id = c.file_id and h.legal_hold and h.purged_at is null)
    and not (c.upload_status = 'completed' and c.namespace = 'live'
      and exists (select from public.file_references r where r.file_id = c.file_id and r.keep = 'keep'))
    -- A page that is done again goes on where it was left: what failed is for another night.
    and not exists (
      select from public.sweep_items i
      where i.run_id = p_run_id and i.action = 'purge' and i.copy_id = c.id and i.outcome in ('kept', 'failed', 'skipped'))
    -- One object can serve several purposes: it stays until the grace of the last one is over.
    and not exists (
      select from public.provider_file_uploads s
      where s.file_id = c.file_id and s.provider = c.provider and s.account = c.account and s.namespace = c.namespace and s.id <> c.id
        and s.deleted_at >= v_before and s.purged_at is null
        and (s.provider_file_id = c.provider_file_id or c.provider_file_id is null and s.upload_status = 'completed'));
  return jsonb_build_object('next', case when cardinality(v_window) = v_limit then v_window[v_limit] end, 'copies', v_copies);
end $$;

create or replace function public.begin_purge(p_copy_id uuid, p_owner text, p_lease_seconds double precision) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
  v_now timestamptz := clock_timestamp();
  v_live public.provider_file_uploads;
begin
  if v_copy.deleted_at is null or v_copy.purged_at is not null or public.is_on_hold(v_copy.file_id)
    or public.is_being_moved(v_copy.deletion_reason)
    or (v_copy.upload_status = 'completed' and v_copy.namespace = 'live' and public.is_kept(v_copy.file_id))
    or (v_copy.lease_expires_at > v_now and v_copy.lease_owner <> p_owner) then
    return null;
  end if;
  -- A content-addressed object can serve several purposes. While a live copy stands on it, it stays, and only this row is closed.
  select * into v_live from public.provider_file_uploads c
  where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
    and c.deleted_at is null and c.upload_status <> 'failed'
    and (c.provider_file_id is null or v_copy.provider_file_id is null or c.provider_file_id = v_copy.provider_file_id)
  order by c.upload_status = 'completed' desc
  limit 1;
  if found then
    if v_live.upload_status = 'completed' then
      update public.provider_file_uploads
      set purged_at = v_now, purge_started_at = coalesce(purge_started_at, v_now), lease_owner = null, lease_expires_at = null
      where id = p_copy_id;
    end if;
    return null;
  end if;
  -- A live copy of the same name under another account may stand on this object, too, or on one in another place: this row stays open,
  -- so that nothing is called purged that may be there. Only where the id is made of the content, or it says nothing of another account.
  if exists (
    select from public.provider_file_uploads c join public.files f on f.id = c.file_id
    where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account <> v_copy.account
      and c.provider_file_id = v_copy.provider_file_id and strpos(c.provider_file_id, f.sha256) > 0
      and c.deleted_at is null and c.upload_status = 'completed'
  ) then
    return null;
  end if;
  -- Nobody else purges or moves it at the same time, under another purpose.
  if exists (
    select from public.provider_file_uploads c
    where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
      and c.id <> p_copy_id and c.purge_started_at is not null and c.purged_at is null
      and (c.lease_expires_at > v_now or public.is_being_moved(c.deletion_reason))
      and (c.provider_file_id is null or v_copy.provider_file_id is null or c.provider_file_id = v_copy.provider_file_id)
  ) then
    return null;
  end if;
  -- Deleted rows of the same object go with it, or a claim could revive one of them later.
  update public.provider_file_uploads c
  set purged_at = v_now, purge_started_at = coalesce(c.purge_started_at, v_now), lease_owner = null, lease_expires_at = null
  where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
    and c.id <> p_copy_id and c.deleted_at is not null and c.purged_at is null and c.provider_file_id = v_copy.provider_file_id;
  update public.provider_file_uploads
  set purge_started_at = coalesce(purge_started_at, v_now), lease_owner = p_owner, lease_expires_at = public.lease_until(p_lease_seconds)
  where id = p_copy_id
  returning * into v_copy;
  return to_jsonb(v_copy);
end $$;

create or replace function public.condemn_object(p_run_id text, p_position bigint, p_owner text, p_lease_seconds double precision) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_item public.reconcile_items;
  v_file_id uuid;
  v_copy public.provider_file_uploads;
  v_now timestamptz;
  -- What is left to retention is its to delete; what is moved is not.
  v_reason text := 'reconcile ' || p_run_id || case when p_owner is null then '' else ' moving' end;
  v_began boolean;
begin
  select * into v_item from public.reconcile_items i where i.run_id = p_run_id and i.position = p_position for update;
  if not found or v_item.kind in ('lost', 'foreign') then
    raise exception 'the reconciliation % has no object at %', p_run_id, p_position using errcode = 'PT404', detail = 'item_not_found';
  end if;
  if v_item.copy_id is null then
    -- The row of the content is the lock that every upload of it takes. Its size stays open: what lies there may be no whole one.
    insert into public.files (sha256, original_name, metadata) values (v_item.expected_sha256, v_item.name, '{}')
    on conflict (sha256) where sha256 is not null do nothing;
    select f.id into strict v_file_id from public.files f where f.sha256 = v_item.expected_sha256 for no key update;
    if exists (
      select from public.provider_file_uploads c
      where c.file_id = v_file_id and c.provider = v_item.provider and c.account = v_item.account and c.namespace = v_item.namespace
    ) then
      return jsonb_build_object('outcome', 'left', 'why', 'changed');
    end if;
    if public.stands_elsewhere(v_file_id, v_item.provider, v_item.account, v_item.object_id) then
      return jsonb_build_object('outcome', 'left', 'why', 'in_use');
    end if;
    if public.is_on_hold(v_file_id) then
      return jsonb_build_object('outcome', 'left', 'why', 'on_hold');
    end if;
    insert into public.provider_file_uploads (file_id, provider, account, purpose, namespace, upload_status, last_error_code)
    values (v_file_id, v_item.provider, v_item.account, 'storage', v_item.namespace, 'failed', 'reconciled')
    returning * into v_copy;
    update public.reconcile_items set copy_id = v_copy.id, file_id = v_file_id where run_id = p_run_id and position = p_position;
  else
    v_copy := public.lock_copy(v_item.copy_id);
    -- An attempt before this one began it, or had the object moved already.
    v_began := coalesce(v_copy.deletion_reason in (v_reason, 'reconcile ' || p_run_id), false);
    if v_began and v_copy.purged_at is not null then
      return jsonb_build_object('outcome', 'done', 'copy_id', v_copy.id);
    end if;
    if not (v_began and v_copy.lease_owner is not distinct from p_owner) then
      if v_item.copy_updated_at is distinct from v_copy.updated_at then
        return jsonb_build_object('outcome', 'left', 'why', 'changed');
      end if;
      if public.stands_elsewhere(v_copy.file_id, v_copy.provider, v_copy.account, v_item.object_id) then
        return jsonb_build_object('outcome', 'left', 'why', 'in_use');
      end if;
      if public.is_on_hold(v_copy.file_id) then
        return jsonb_build_object('outcome', 'left', 'why', 'on_hold');
      end if;
    end if;
  end if;

  v_now := clock_timestamp();
  if exists (
    select from public.provider_file_uploads c
    where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
      and c.id <> v_copy.id and c.purged_at is null
      and ((c.lease_expires_at > v_now)
        or (c.upload_status = 'completed' and c.provider_file_id = v_item.object_id and v_item.kind not in ('other_size', 'other_hash')))
  ) then
    return jsonb_build_object('outcome', 'left', 'why', 'in_use');
  end if;
  -- One damaged object can serve several purposes: none of them is handed out any more.
  update public.provider_file_uploads c
  set upload_status = 'failed', last_error_code = 'verification_failed', invalidation_code = 'verification_failed'
  where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
    and c.id <> v_copy.id and c.upload_status = 'completed' and c.purged_at is null and c.provider_file_id = v_item.object_id;
  update public.provider_file_uploads set
    upload_status = 'failed', provider_file_id = v_item.object_id,
    last_error_code = case when v_item.kind in ('other_size', 'other_hash') then 'verification_failed' else 'reconciled' end,
    deleted_at = v_now, deletion_reason = v_reason, purged_at = null, purge_attempts = 0, needs_review = false,
    purge_started_at = case when p_owner is null then null else v_now end,
    lease_owner = p_owner, lease_expires_at = case when p_owner is null then null else public.lease_until(p_lease_seconds) end
  where id = v_copy.id;
  return jsonb_build_object('outcome', 'condemned', 'copy_id', v_copy.id);
end $$;

revoke execute on function public.is_being_moved, public.release_abandoned_moves from public, anon, authenticated;
grant execute on function public.is_being_moved, public.release_abandoned_moves to service_role;
