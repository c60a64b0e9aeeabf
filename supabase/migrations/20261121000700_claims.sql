-- Who uploads: claim, renew, complete, fail, invalidate.

create function public.claim_upload(
  p_sha256 text, p_size_bytes bigint, p_mime_type text, p_original_name text,
  p_provider text, p_account text, p_purpose text, p_namespace text,
  p_owner text, p_idempotency_key text, p_lease_seconds double precision
) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_lease timestamptz;
  v_now timestamptz;
  v_file_id uuid;
  v_size bigint;
  v_copy public.provider_file_uploads;
  v_purge public.provider_file_uploads;
  v_usable boolean;
  v_error text;
begin
  -- A trigger of the application may swallow the insert; without a bound that would be an endless loop.
  for v_round in 1..10 loop
    select f.id, f.size_bytes into v_file_id, v_size from public.files f where f.sha256 = p_sha256 for no key update;
    exit when found;
    insert into public.files (sha256, size_bytes, mime_type, original_name, metadata)
    values (p_sha256, p_size_bytes, p_mime_type, p_original_name, '{}')
    on conflict (sha256) where sha256 is not null do nothing
    returning id, size_bytes into v_file_id, v_size;
    exit when found;
  end loop;
  if v_file_id is null then
    raise exception 'public.files takes no row for content %', p_sha256
      using errcode = 'PT409', detail = 'files_refuses_rows', hint = 'Look for a trigger on public.files that drops inserted rows.';
  end if;
  if v_size is null then
    update public.files set size_bytes = p_size_bytes where id = v_file_id;
  elsif v_size <> p_size_bytes then
    raise exception 'content % is on record with % bytes and was claimed with %', p_sha256, v_size, p_size_bytes
      using errcode = 'PT409', detail = 'size_mismatch';
  end if;

  -- From here on no other claim, completion, deletion or purge of this content moves.
  v_now := clock_timestamp();
  v_lease := public.lease_until(p_lease_seconds);
  select * into v_copy from public.provider_file_uploads c
  where c.file_id = v_file_id and c.provider = p_provider and c.account = p_account and c.purpose = p_purpose
    and c.namespace = p_namespace and c.purged_at is null
  order by (c.deleted_at is null and c.upload_status <> 'failed') desc, c.updated_at desc
  limit 1;
  -- What the provider has dropped by itself is not there any more.
  v_usable := v_copy.upload_status = 'completed' and (v_copy.expires_at is null or v_copy.expires_at > v_now);

  if v_usable and v_copy.deleted_at is null then
    return jsonb_build_object('outcome', 'completed', 'file_id', v_file_id, 'copy_id', v_copy.id, 'provider_file_id', v_copy.provider_file_id,
      'idempotency_key', v_copy.idempotency_key);
  end if;

  -- One object can serve several purposes, so a purge for any of them is in the way.
  select * into v_purge from public.provider_file_uploads c
  where c.file_id = v_file_id and c.provider = p_provider and c.account = p_account and c.namespace = p_namespace
    and c.purge_started_at is not null and c.purged_at is null and c.lease_expires_at > v_now
  order by c.lease_expires_at desc
  limit 1;
  if found then
    return public.busy_claim(v_file_id, v_purge.id, v_purge.lease_expires_at - v_now);
  end if;

  if v_usable and v_copy.purge_started_at is null then
    update public.provider_file_uploads set deleted_at = null, deletion_reason = null where id = v_copy.id;
    return jsonb_build_object('outcome', 'completed', 'file_id', v_file_id, 'copy_id', v_copy.id, 'provider_file_id', v_copy.provider_file_id,
      'idempotency_key', v_copy.idempotency_key);
  end if;

  if v_copy.upload_status in ('pending', 'uploading') and v_copy.lease_expires_at > v_now and v_copy.lease_owner <> p_owner then
    return public.busy_claim(v_file_id, v_copy.id, v_copy.lease_expires_at - v_now);
  end if;

  if v_copy.id is null then
    insert into public.provider_file_uploads
      (file_id, provider, account, purpose, namespace, upload_status, attempts, idempotency_key, lease_owner, lease_expires_at)
    values (v_file_id, p_provider, p_account, p_purpose, p_namespace, 'uploading', 1, p_idempotency_key, p_owner, v_lease)
    returning * into v_copy;
  else
    v_error := case
      when v_copy.purge_started_at is not null then 'purge_interrupted'
      when v_copy.upload_status = 'completed' then 'expired_at_provider'
      when v_copy.lease_expires_at <= v_now then 'lease_expired'
      else v_copy.last_error_code
    end;
    update public.provider_file_uploads set
      upload_status = 'uploading', attempts = attempts + 1, last_error_code = v_error, idempotency_key = p_idempotency_key,
      lease_owner = p_owner, lease_expires_at = v_lease, provider_file_id = null, completed_at = null, expires_at = null,
      deleted_at = null, deletion_reason = null, purge_started_at = null, purge_attempts = 0, needs_review = false
    where id = v_copy.id
    returning * into v_copy;
  end if;
  return jsonb_build_object('outcome', 'claimed', 'file_id', v_file_id, 'copy_id', v_copy.id, 'attempts', v_copy.attempts,
    'last_error_code', coalesce(v_copy.invalidation_code, v_copy.last_error_code));
end $$;
comment on function public.claim_upload is
  'Decides who sends a content to a provider: completed (nobody), claimed (the caller), busy (somebody else). PT409 size_mismatch.';

create function public.busy_claim(p_file_id uuid, p_copy_id uuid, p_remaining interval) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('outcome', 'busy', 'file_id', p_file_id, 'copy_id', p_copy_id,
    'retry_after_ms', greatest(1, ceil(extract(epoch from p_remaining) * 1000)::bigint));
$$;

create function public.renew_upload(p_copy_id uuid, p_owner text, p_lease_seconds double precision) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  -- A lease that ran out and that nobody took over yet is still the owner's.
  if v_copy.lease_owner is distinct from p_owner or v_copy.upload_status not in ('pending', 'uploading') then
    return false;
  end if;
  update public.provider_file_uploads set lease_expires_at = public.lease_until(p_lease_seconds) where id = p_copy_id;
  return true;
end $$;
comment on function public.renew_upload is 'Makes a claim last longer. False when it is no longer the owner''s.';

create function public.complete_upload(p_copy_id uuid, p_owner text, p_provider_file_id text, p_expires_at timestamptz default null)
returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  if v_copy.upload_status = 'completed' then
    return v_copy.purge_started_at is null and v_copy.purged_at is null;
  end if;
  if v_copy.lease_owner is distinct from p_owner or v_copy.upload_status not in ('pending', 'uploading') then
    return false;
  end if;
  update public.provider_file_uploads set
    upload_status = 'completed', provider_file_id = p_provider_file_id, completed_at = clock_timestamp(), expires_at = p_expires_at,
    last_error_code = null, invalidation_code = null, lease_owner = null, lease_expires_at = null
  where id = p_copy_id;
  if v_copy.namespace = 'live' then
    update public.files set provider = v_copy.provider, provider_file_id = p_provider_file_id
    where id = v_copy.file_id and provider is null;
  end if;
  return true;
end $$;
comment on function public.complete_upload is
  'Marks a copy as there; idempotent. False when the claim was lost to somebody else who has not completed it.';

create function public.fail_upload(p_copy_id uuid, p_owner text, p_error_code text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  if v_copy.lease_owner is distinct from p_owner or v_copy.upload_status not in ('pending', 'uploading') then
    return false;
  end if;
  update public.provider_file_uploads
  set upload_status = 'failed', last_error_code = p_error_code, lease_owner = null, lease_expires_at = null
  where id = p_copy_id;
  return true;
end $$;
comment on function public.fail_upload is 'Gives a claim up. False, and nothing changed, when it is no longer the owner''s.';

create function public.invalidate_upload(p_copy_id uuid, p_error_code text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  if v_copy.upload_status <> 'completed' or v_copy.purge_started_at is not null or v_copy.purged_at is not null then
    return false;
  end if;
  update public.provider_file_uploads
  set upload_status = 'failed', last_error_code = p_error_code, invalidation_code = p_error_code where id = p_copy_id;
  return true;
end $$;
comment on function public.invalidate_upload is 'A completed copy turned out to be damaged or gone: the next claim sends it again.';

revoke execute on function public.claim_upload, public.busy_claim, public.renew_upload, public.complete_upload, public.fail_upload,
  public.invalidate_upload from public, anon, authenticated;
grant execute on function public.claim_upload, public.busy_claim, public.renew_upload, public.complete_upload, public.fail_upload,
  public.invalidate_upload to service_role;
