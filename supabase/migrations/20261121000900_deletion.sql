-- Deleting in two steps: marked first (and taken back until the purge begins), purged at the provider later.

create function public.soft_delete_file(p_file_id uuid, p_reason text, p_unreferenced_only boolean default false) returns integer
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_count integer;
begin
  if public.is_on_hold(v_file_id) or public.is_kept(v_file_id) then
    return 0;
  end if;
  if p_unreferenced_only and exists (select from public.file_references r where r.file_id = v_file_id) then
    return 0;
  end if;
  update public.provider_file_uploads set deleted_at = clock_timestamp(), deletion_reason = p_reason
  where file_id = v_file_id and upload_status = 'completed' and deleted_at is null;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.soft_delete_file is
  'Marks every completed copy of a file as deleted; how many. 0 when it is on hold or somebody keeps it (or, where asked, holds it in any way). Uploads under way go on.';

create function public.soft_delete_copy(p_copy_id uuid, p_reason text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
  v_stale boolean := v_copy.upload_status in ('pending', 'uploading') and coalesce(v_copy.lease_expires_at, v_copy.updated_at) <= clock_timestamp();
begin
  if v_copy.deleted_at is not null or public.is_on_hold(v_copy.file_id)
    or (v_copy.upload_status in ('pending', 'uploading') and not v_stale)
    or (v_copy.upload_status = 'completed' and v_copy.namespace = 'live' and public.is_kept(v_copy.file_id)) then
    return false;
  end if;
  update public.provider_file_uploads set
    deleted_at = clock_timestamp(), deletion_reason = p_reason,
    upload_status = case when v_stale then 'failed' else upload_status end,
    last_error_code = case when v_stale then 'lease_expired' else last_error_code end,
    lease_owner = null, lease_expires_at = null
  where id = p_copy_id;
  return true;
end $$;
comment on function public.soft_delete_copy is
  'Marks one copy as deleted: one that failed, a shadow copy, or one that nobody keeps. False when it may not or was marked before.';

create function public.begin_purge(p_copy_id uuid, p_owner text, p_lease_seconds double precision) returns jsonb
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
comment on function public.begin_purge is
  'Takes the right to delete the object at the provider until the lease ends; the copy, or null when it may not be deleted (now).';

create function public.complete_purge(p_copy_id uuid, p_owner text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  if v_copy.purged_at is not null then
    return true;
  end if;
  if v_copy.purge_started_at is null or v_copy.lease_owner is distinct from p_owner then
    return false;
  end if;
  update public.provider_file_uploads
  set purged_at = clock_timestamp(), needs_review = false, lease_owner = null, lease_expires_at = null
  where id = p_copy_id;
  return true;
end $$;
comment on function public.complete_purge is 'The object is gone; idempotent. False when the purge is no longer the owner''s.';

create function public.fail_purge(p_copy_id uuid, p_owner text, p_error_code text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  if v_copy.purge_started_at is null or v_copy.purged_at is not null or v_copy.lease_owner is distinct from p_owner then
    return false;
  end if;
  update public.provider_file_uploads set
    purge_attempts = purge_attempts + 1, needs_review = purge_attempts + 1 >= 5, last_error_code = p_error_code,
    lease_owner = null, lease_expires_at = null
  where id = p_copy_id;
  return true;
end $$;
comment on function public.fail_purge is 'The object could not be deleted; after the fifth time a person should look. False when it is not the owner''s.';

revoke execute on function public.soft_delete_file, public.soft_delete_copy, public.begin_purge, public.complete_purge, public.fail_purge
  from public, anon, authenticated;
grant execute on function public.soft_delete_file, public.soft_delete_copy, public.begin_purge, public.complete_purge, public.fail_purge
  to service_role;
