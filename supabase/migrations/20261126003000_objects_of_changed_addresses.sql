-- The account of a storage is its address and its bucket. Where the address alone has changed, what stands on an object is on record
-- under the old account: it is neither moved nor deleted under the new one.

create function public.stands_elsewhere(p_file_id uuid, p_provider text, p_account text, p_object_id text) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from public.provider_file_uploads c
    where c.file_id = p_file_id and c.provider = p_provider and c.account <> p_account and c.provider_file_id = p_object_id
      and c.upload_status = 'completed' and c.purged_at is null);
$$;
comment on function public.stands_elsewhere is
  'Whether a completed copy under another account of the provider has this id: it may be the same object, under an older address.';

create function public.stands_on_object(p_copy_id uuid, p_object_id text) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from public.provider_file_uploads c
    join public.provider_file_uploads own on own.id = p_copy_id and own.file_id = c.file_id and own.provider = c.provider
    where c.provider_file_id = p_object_id and c.upload_status = 'completed' and c.purged_at is null);
$$;
comment on function public.stands_on_object is
  'Whether a completed copy of the same content and provider has this id, in whatever account: what a failed copy left is not its own then.';

create or replace function public.begin_purge(p_copy_id uuid, p_owner text, p_lease_seconds double precision) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
  v_now timestamptz := clock_timestamp();
  v_live public.provider_file_uploads;
begin
  if v_copy.deleted_at is null or v_copy.purged_at is not null or public.is_on_hold(v_copy.file_id)
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
  -- Nobody else purges it at the same time, under another purpose.
  if exists (
    select from public.provider_file_uploads c
    where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
      and c.id <> p_copy_id and c.purge_started_at is not null and c.purged_at is null and c.lease_expires_at > v_now
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
    if v_copy.deletion_reason = 'reconcile ' || p_run_id and v_copy.purged_at is not null then
      return jsonb_build_object('outcome', 'done', 'copy_id', v_copy.id);
    end if;
    if not (v_copy.deletion_reason is not distinct from 'reconcile ' || p_run_id and v_copy.lease_owner is not distinct from p_owner) then
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
    deleted_at = v_now, deletion_reason = 'reconcile ' || p_run_id, purged_at = null, purge_attempts = 0, needs_review = false,
    purge_started_at = case when p_owner is null then null else v_now end,
    lease_owner = p_owner, lease_expires_at = case when p_owner is null then null else public.lease_until(p_lease_seconds) end
  where id = v_copy.id;
  return jsonb_build_object('outcome', 'condemned', 'copy_id', v_copy.id);
end $$;

revoke execute on function public.stands_elsewhere, public.stands_on_object from public, anon, authenticated;
grant execute on function public.stands_elsewhere, public.stands_on_object to service_role;
