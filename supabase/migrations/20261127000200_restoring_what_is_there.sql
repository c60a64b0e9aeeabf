-- What its provider has dropped by itself cannot be restored: its copy stays deleted, and is not handed out as if it were there.

create or replace function public.restore_file(p_file_id uuid) returns integer
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_count integer;
begin
  update public.provider_file_uploads c set deleted_at = null, deletion_reason = null
  where c.file_id = v_file_id and c.upload_status = 'completed' and c.deleted_at is not null
    and c.purge_started_at is null and c.purged_at is null
    and (c.expires_at is null or c.expires_at > clock_timestamp())
    and not exists (
      select from public.provider_file_uploads other
      where other.file_id = c.file_id and other.provider = c.provider and other.account = c.account and other.purpose = c.purpose
        and other.namespace = c.namespace and other.deleted_at is null and other.upload_status <> 'failed');
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.restore_file is
  'Takes a deletion back for the copies whose purge has not begun and whose provider has not dropped them; how many.';
