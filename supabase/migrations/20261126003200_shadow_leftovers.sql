-- Comparisons delete their shadow copies themselves. Those of a comparison that died are left over as failed uploads are.

create index provider_file_uploads_leftover_idx on public.provider_file_uploads (id)
  where deleted_at is null and (upload_status <> 'completed' or namespace = 'shadow');
drop index public.provider_file_uploads_unfinished_idx;

create or replace function public.failed_copies(p_copy_ids uuid[], p_before timestamptz)
returns table (copy_id uuid, file_id uuid, provider text, account text, stale boolean, size_bytes bigint)
language sql stable set search_path = '' as $$
  select c.id, c.file_id, c.provider, c.account, c.upload_status not in ('failed', 'completed'), coalesce(f.size_bytes, 0)::bigint
  from public.provider_file_uploads c join public.files f on f.id = c.file_id
  where c.id = any (p_copy_ids) and c.deleted_at is null and (c.upload_status <> 'completed' or c.namespace = 'shadow')
    -- An upload fails when it says so or when its lease runs out.
    and coalesce(c.lease_expires_at, c.updated_at) < least(p_before, clock_timestamp())
    and not exists (select from public.provider_file_uploads h where h.file_id = c.file_id and h.legal_hold and h.purged_at is null);
$$;
comment on function public.failed_copies is
  'Those of these copies whose upload failed, or which a comparison left, before that time, and that are not on hold.';

create or replace function public.sweep_orphaned(p_run_id uuid, p_after uuid default null, p_limit integer default 1000) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_run public.sweep_runs := public.sweep_run(p_run_id);
  v_limit integer := least(greatest(p_limit, 1), 10000);
  v_before timestamptz := v_run.started_at - public.sweep_days(v_run.rules, 'orphanDays');
  v_window uuid[];
  v_files uuid[];
  v_copies bigint;
  v_bytes bigint;
begin
  select coalesce(array_agg(c.id order by c.id), '{}'), coalesce(array_agg(c.file_id), '{}') into v_window, v_files
  from (
    select c.id, c.file_id from public.provider_file_uploads c
    where c.deleted_at is null and (c.upload_status <> 'completed' or c.namespace = 'shadow') and (p_after is null or c.id > p_after)
    order by c.id limit v_limit
  ) c;
  if not v_run.dry_run then
    v_files := public.lock_free_files(v_files);
  end if;
  with going as (
    select * from public.failed_copies(v_window, v_before) o where o.file_id = any (v_files)
  ), marked as (
    update public.provider_file_uploads c set
      deleted_at = clock_timestamp(), deletion_reason = 'orphaned',
      upload_status = case when going.stale then 'failed' else c.upload_status end,
      last_error_code = case when going.stale then 'lease_expired' else c.last_error_code end, lease_owner = null, lease_expires_at = null
    from going where not v_run.dry_run and c.id = going.copy_id
    returning c.id
  ), recorded as (
    insert into public.sweep_items (run_id, action, reason, copy_id, file_id, provider, account, size_bytes, outcome)
    select p_run_id, 'mark', 'orphaned', g.copy_id, g.file_id, g.provider, g.account, g.size_bytes,
      case when v_run.dry_run then 'planned' else 'done' end
    from going g
    where v_run.dry_run or g.copy_id in (select m.id from marked m)
    order by g.copy_id
    on conflict do nothing
    returning size_bytes
  )
  select count(*), coalesce(sum(r.size_bytes), 0)::bigint into v_copies, v_bytes from recorded r;
  return jsonb_build_object('next', case when cardinality(v_window) = v_limit then v_window[v_limit] end, 'copies', v_copies, 'bytes', v_bytes);
end $$;
comment on function public.sweep_orphaned is
  'Marks those of the next p_limit unfinished or shadow copies whose upload failed, or which a comparison left, so many days ago: {next, copies, bytes}. The file stays.';
