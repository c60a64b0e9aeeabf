-- The first half of a sweep: which copies go, page by page. A dry run asks the same questions and only writes the answers down.
--
-- Each page first locks the contents that it is about, and decides in a statement after that, which sees everything that was committed
-- until then: every claim, reference, hold, completion and restore locks the content, too (lock_file), so that none can come between.
-- What somebody is working on at that moment is left for the next sweep.

create index provider_file_uploads_unfinished_idx on public.provider_file_uploads (id)
  where deleted_at is null and upload_status <> 'completed';
create index file_references_kept_idx on public.file_references (file_id) where keep = 'keep';
create index provider_file_uploads_hold_idx on public.provider_file_uploads (file_id) where legal_hold and purged_at is null;

create function public.lock_free_files(p_file_ids uuid[]) returns uuid[]
language sql volatile set search_path = '' as $$
  select coalesce(array_agg(f.id), '{}')
  from (select f.id from public.files f where f.id = any (p_file_ids) order by f.id for no key update skip locked) f;
$$;
comment on function public.lock_free_files is 'Locks those of these contents that nobody works on now, until the transaction ends.';

create function public.sweep_run(p_run_id uuid) returns public.sweep_runs
language plpgsql stable set search_path = '' as $$
declare
  v_run public.sweep_runs;
begin
  select * into v_run from public.sweep_runs where id = p_run_id;
  if not found then
    raise exception 'the ledger has no sweep %', p_run_id using errcode = 'PT404', detail = 'sweep_not_found';
  end if;
  return v_run;
end $$;

comment on function public.sweep_run is 'The row of a sweep. PT404 sweep_not_found.';

-- Of these contents, the copies that nobody needs: set-based, because a function call for each row would be most of the time.
create function public.unkept_copies(p_file_ids uuid[], p_before timestamptz)
returns table (copy_id uuid, file_id uuid, provider text, account text, purpose text, namespace text, size_bytes bigint, last_access_at timestamptz)
language sql stable set search_path = '' as $$
  select c.id, c.file_id, c.provider, c.account, c.purpose, c.namespace, coalesce(f.size_bytes, 0)::bigint, coalesce(f.accessed_at, f.created_at)
  from public.files f
  join public.provider_file_uploads c on c.file_id = f.id
  where f.id = any (p_file_ids)
    and coalesce(f.accessed_at, f.created_at) < p_before
    and c.upload_status = 'completed' and c.deleted_at is null
    and not exists (select from public.file_references r where r.file_id = f.id and r.keep = 'keep')
    and not exists (select from public.provider_file_uploads h where h.file_id = f.id and h.legal_hold and h.purged_at is null)
    and not exists (
      select from public.provider_file_uploads u
      where u.file_id = f.id and u.upload_status in ('pending', 'uploading') and u.lease_expires_at > clock_timestamp());
$$;
comment on function public.unkept_copies is
  'The completed copies of contents that nobody keeps, nobody has read since then, and of which no upload is under way.';

create function public.sweep_expired(p_run_id uuid, p_after uuid default null, p_limit integer default 1000) returns jsonb
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
    coalesce(array_agg(f.id) filter (where coalesce(f.accessed_at, f.created_at) < v_before), '{}')
  into v_seen, v_last, v_ids
  from (
    select f.id, f.accessed_at, f.created_at from public.files f
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
comment on function public.sweep_expired is
  'Marks the copies of those of the next p_limit files that nobody keeps and nobody has read for the days of retention: {next, copies, bytes}.';

create function public.failed_copies(p_copy_ids uuid[], p_before timestamptz)
returns table (copy_id uuid, file_id uuid, provider text, account text, stale boolean, size_bytes bigint)
language sql stable set search_path = '' as $$
  select c.id, c.file_id, c.provider, c.account, c.upload_status <> 'failed', coalesce(f.size_bytes, 0)::bigint
  from public.provider_file_uploads c join public.files f on f.id = c.file_id
  where c.id = any (p_copy_ids) and c.deleted_at is null and c.upload_status <> 'completed'
    -- An upload fails when it says so or when its lease runs out.
    and coalesce(c.lease_expires_at, c.updated_at) < least(p_before, clock_timestamp())
    and not exists (select from public.provider_file_uploads h where h.file_id = c.file_id and h.legal_hold and h.purged_at is null);
$$;
comment on function public.failed_copies is 'Those of these copies whose upload failed before that time, and that are not on hold.';

create function public.sweep_orphaned(p_run_id uuid, p_after uuid default null, p_limit integer default 1000) returns jsonb
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
    where c.deleted_at is null and c.upload_status <> 'completed' and (p_after is null or c.id > p_after)
    order by c.id limit v_limit
  ) c;
  if not v_run.dry_run then
    v_files := public.lock_free_files(v_files);
  end if;
  with going as (
    select * from public.failed_copies(v_window, v_before) o where o.file_id = any (v_files)
  ), marked as (
    update public.provider_file_uploads c set
      deleted_at = clock_timestamp(), deletion_reason = 'orphaned', upload_status = 'failed',
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
  'Marks those of the next p_limit unfinished copies whose upload failed so many days ago: {next, copies, bytes}. The file stays.';

create index provider_file_uploads_account_idx on public.provider_file_uploads (provider, account)
  where upload_status = 'completed' and deleted_at is null;

create function public.sweep_quota(
  p_run_id uuid, p_provider text, p_account text, p_purpose text, p_kind text, p_excess double precision, p_limit integer default 1000
) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_run public.sweep_runs := public.sweep_run(p_run_id);
  v_before timestamptz := v_run.started_at - public.sweep_days(v_run.rules, 'quotaMinAgeDays');
  v_limit integer := least(greatest(p_limit, 1), 10000);
  v_files uuid[];
  v_going double precision;
  v_copies bigint;
  v_bytes bigint;
begin
  -- What is marked already makes room when it is purged: it is not to be made twice.
  select coalesce(sum(case p_kind when 'bytes' then coalesce(f.size_bytes, 0) else 1 end), 0) into v_going
  from public.provider_file_uploads c join public.files f on f.id = c.file_id
  where c.provider = p_provider and c.account = p_account and (p_purpose is null or c.purpose = p_purpose)
    and c.upload_status = 'completed' and c.purged_at is null
    and (c.deleted_at is not null
      or v_run.dry_run and exists (select from public.sweep_items i where i.run_id = p_run_id and i.action = 'mark' and i.copy_id = c.id));
  if p_excess - v_going <= 0 then
    return jsonb_build_object('copies', 0, 'bytes', 0, 'short', 0);
  end if;
  -- The oldest that nobody keeps. Some of them may be worked on: those after them go instead.
  select coalesce(array_agg(o.file_id), '{}') into v_files
  from (
    select c.file_id from public.provider_file_uploads c join public.files f on f.id = c.file_id
    where c.provider = p_provider and c.account = p_account and (p_purpose is null or c.purpose = p_purpose) and c.namespace = 'live'
      and c.upload_status = 'completed' and c.deleted_at is null
      and coalesce(f.accessed_at, f.created_at) < v_before
      and not exists (select from public.file_references r where r.file_id = f.id and r.keep = 'keep')
      and not exists (select from public.provider_file_uploads h where h.file_id = f.id and h.legal_hold and h.purged_at is null)
      and not exists (
        select from public.provider_file_uploads u
        where u.file_id = f.id and u.upload_status in ('pending', 'uploading') and u.lease_expires_at > clock_timestamp())
      and not exists (select from public.sweep_items i where i.run_id = p_run_id and i.action = 'mark' and i.copy_id = c.id)
    order by coalesce(f.accessed_at, f.created_at), c.id
    limit v_limit
  ) o;
  if not v_run.dry_run then
    v_files := public.lock_free_files(v_files);
  end if;
  with candidates as (
    select u.*, sum(case p_kind when 'bytes' then u.size_bytes else 1 end) over (order by u.last_access_at, u.copy_id)
      - case p_kind when 'bytes' then u.size_bytes else 1 end as before
    from public.unkept_copies(v_files, v_before) u
    where u.provider = p_provider and u.account = p_account and (p_purpose is null or u.purpose = p_purpose) and u.namespace = 'live'
      and not exists (select from public.sweep_items i where i.run_id = p_run_id and i.action = 'mark' and i.copy_id = u.copy_id)
  ), going as (
    select * from candidates where before < p_excess - v_going
  ), marked as (
    update public.provider_file_uploads c set deleted_at = clock_timestamp(), deletion_reason = 'quota'
    from going where not v_run.dry_run and c.id = going.copy_id
    returning c.id
  ), recorded as (
    insert into public.sweep_items (run_id, action, reason, copy_id, file_id, provider, account, size_bytes, outcome)
    select p_run_id, 'mark', 'quota', g.copy_id, g.file_id, g.provider, g.account, g.size_bytes,
      case when v_run.dry_run then 'planned' else 'done' end
    from going g
    where v_run.dry_run or g.copy_id in (select m.id from marked m)
    order by g.last_access_at, g.copy_id
    on conflict do nothing
    returning size_bytes
  )
  select count(*), coalesce(sum(r.size_bytes), 0)::bigint into v_copies, v_bytes from recorded r;
  return jsonb_build_object('copies', v_copies, 'bytes', v_bytes, 'short',
    greatest(0, p_excess - v_going - case p_kind when 'bytes' then v_bytes else v_copies end));
end $$;
comment on function public.sweep_quota is
  'Marks the oldest copies at an account that nobody keeps until so many files (or bytes) are on their way out: {copies, bytes, short}. Call it again while it marks some and is short.';

revoke execute on function public.lock_free_files, public.sweep_run, public.unkept_copies, public.sweep_expired, public.failed_copies,
  public.sweep_orphaned, public.sweep_quota from public, anon, authenticated;
grant execute on function public.lock_free_files, public.sweep_run, public.unkept_copies, public.sweep_expired, public.failed_copies,
  public.sweep_orphaned, public.sweep_quota to service_role;
