-- References, holds and restoring: what keeps a file.

-- Whether somebody keeps the content. Shadow copies are ours alone: nobody's reference keeps them.
create function public.is_kept(p_file_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from public.file_references r where r.file_id = p_file_id and r.keep = 'keep');
$$;

create function public.is_on_hold(p_file_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from public.provider_file_uploads c where c.file_id = p_file_id and c.legal_hold and c.purged_at is null);
$$;

create function public.restore_file(p_file_id uuid) returns integer
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_count integer;
begin
  update public.provider_file_uploads c set deleted_at = null, deletion_reason = null
  where c.file_id = v_file_id and c.upload_status = 'completed' and c.deleted_at is not null
    and c.purge_started_at is null and c.purged_at is null
    and not exists (
      select from public.provider_file_uploads other
      where other.file_id = c.file_id and other.provider = c.provider and other.account = c.account and other.purpose = c.purpose
        and other.namespace = c.namespace and other.deleted_at is null and other.upload_status <> 'failed');
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.restore_file is 'Takes a deletion back for the copies whose purge has not begun; how many.';

create function public.add_file_reference(
  p_file_id uuid, p_tool text, p_user_id text, p_name text, p_purpose text, p_context text, p_tags text[], p_keep text
) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_reference public.file_references;
begin
  insert into public.file_references (file_id, tool, user_id, name, purpose, context, tags, keep)
  values (v_file_id, p_tool, p_user_id, p_name, p_purpose, p_context, coalesce(p_tags, '{}'), p_keep)
  on conflict (file_id, tool, user_id, md5(name)) do update set
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
comment on function public.add_file_reference is 'Records who holds a file; idempotent by file, tool, user and name. PT404 for an unknown file.';

create function public.record_upload(
  p_copy_id uuid, p_owner text, p_provider_file_id text, p_file_id uuid, p_tool text, p_user_id text, p_name text, p_purpose text,
  p_context text, p_tags text[], p_keep text
) returns boolean
language plpgsql set search_path = '' as $$
begin
  if not public.complete_upload(p_copy_id, p_owner, p_provider_file_id) then
    return false;
  end if;
  perform public.add_file_reference(p_file_id, p_tool, p_user_id, p_name, p_purpose, p_context, p_tags, p_keep);
  return true;
end $$;
comment on function public.record_upload is
  'The end of an upload in one transaction: the copy is there and somebody holds it. False, and nothing changed, when the claim was lost.';

create function public.delete_file_reference(p_reference_id uuid) returns boolean
language plpgsql set search_path = '' as $$
begin
  delete from public.file_references where id = p_reference_id;
  return found;
end $$;

create function public.set_legal_hold(p_file_id uuid, p_hold boolean) returns integer
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_count integer;
begin
  update public.provider_file_uploads set legal_hold = p_hold where file_id = v_file_id and purged_at is null;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.set_legal_hold is 'Puts every copy of a file on hold, or takes the hold off; how many. One copy on hold holds the file.';

create function public.touch_file(p_file_id uuid) returns boolean
language plpgsql set search_path = '' as $$
begin
  -- Retention counts in days: a busy row need not be written at each read.
  update public.files set accessed_at = clock_timestamp()
  where id = public.resolve_file_id(p_file_id)
    and (accessed_at is null or accessed_at < clock_timestamp() - interval '1 minute');
  if not found and public.resolve_file_id(p_file_id) is null then
    raise exception 'the ledger has no file %', p_file_id using errcode = 'PT404', detail = 'file_not_found';
  end if;
  return true;
end $$;
comment on function public.touch_file is 'The file was read: retention counts from now, to the minute.';

revoke execute on function public.is_kept, public.is_on_hold, public.restore_file, public.add_file_reference, public.record_upload,
  public.delete_file_reference, public.set_legal_hold, public.touch_file from public, anon, authenticated;
grant execute on function public.is_kept, public.is_on_hold, public.restore_file, public.add_file_reference, public.record_upload,
  public.delete_file_reference, public.set_legal_hold, public.touch_file to service_role;
