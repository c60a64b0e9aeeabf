-- The limit on age: some providers drop a file by themselves, and the ledger knows when (expires_at). A sweep marks copies whose time is
-- nearly over, so that the ledger does not point to what is about to vanish; those that somebody keeps it leaves, and tells of them.

create index provider_file_uploads_ages_idx on public.provider_file_uploads (provider, account, expires_at)
  where expires_at is not null and deleted_at is null and upload_status = 'completed' and namespace = 'live';

create function public.ending_copies(p_copy_ids uuid[], p_at timestamptz, p_share double precision)
returns table (copy_id uuid, file_id uuid, provider text, ends_at timestamptz)
language sql stable set search_path = '' as $$
  select c.id, c.file_id, c.provider, c.expires_at
  from public.provider_file_uploads c, coalesce(c.completed_at, c.created_at) as begun
  where c.id = any (p_copy_ids) and c.upload_status = 'completed' and c.deleted_at is null and c.namespace = 'live'
    and p_at >= least(c.expires_at, begun + (c.expires_at - begun) * p_share);
$$;
comment on function public.ending_copies is
  'Those of these live copies that at that time have this share of their life at their provider behind them, or all of it.';

create function public.sweep_ending(p_run_id uuid, p_share double precision, p_after text default null, p_limit integer default 1000) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_run public.sweep_runs := public.sweep_run(p_run_id);
  v_before timestamptz := v_run.started_at - public.sweep_days(v_run.rules, 'quotaMinAgeDays');
  v_limit integer := least(greatest(p_limit, 1), 10000);
  v_window uuid[];
  v_last timestamptz;
  v_files uuid[];
  v_page jsonb;
begin
  -- A page is so many copies looked at, what ends first in front: where a sweep is broken off, the most urgent are done.
  select coalesce(array_agg(c.id order by c.expires_at, c.id), '{}'), max(c.expires_at) into v_window, v_last
  from (
    select c.id, c.expires_at from public.provider_file_uploads c
    where c.expires_at is not null and c.purged_at is null
      and c.upload_status = 'completed' and c.deleted_at is null and c.namespace = 'live'
      and (c.expires_at, c.id) > (coalesce((p_after::jsonb ->> 0)::timestamptz, '-infinity'),
        coalesce((p_after::jsonb ->> 1)::uuid, '00000000-0000-0000-0000-000000000000'))
    order by c.expires_at, c.id limit v_limit
  ) c;
  select coalesce(array_agg(e.file_id), '{}') into v_files from public.ending_copies(v_window, v_run.started_at, p_share) e;
  if not v_run.dry_run then
    v_files := public.lock_free_files(v_files);
  end if;
  with ending as (
    select e.* from public.ending_copies(v_window, v_run.started_at, p_share) e
    where not exists (select from public.sweep_items i where i.run_id = p_run_id and i.action = 'mark' and i.copy_id = e.copy_id)
  ), going as (
    select u.*, e.ends_at from public.unkept_copies(v_files, v_before) u join ending e on e.copy_id = u.copy_id
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
    order by g.ends_at, g.copy_id
    on conflict do nothing
    returning copy_id, size_bytes
  ), kept as (
    select e.provider, count(*) filter (where e.ends_at > v_run.started_at) as ending, count(*) filter (where e.ends_at <= v_run.started_at) as ended,
      ceil(extract(epoch from min(e.ends_at) filter (where e.ends_at > v_run.started_at) - v_run.started_at) * 1000)::bigint as first_ends_in_ms
    from ending e where e.copy_id not in (select r.copy_id from recorded r)
    group by e.provider
  )
  select jsonb_build_object('copies', count(*), 'bytes', coalesce(sum(r.size_bytes), 0)::bigint,
    'kept', (select coalesce(jsonb_agg(to_jsonb(k) order by k.provider), '[]') from kept k)) into v_page
  from recorded r;
  return v_page || jsonb_build_object('next',
    case when cardinality(v_window) = v_limit then jsonb_build_array(v_last, v_window[v_limit])::text end);
end $$;
comment on function public.sweep_ending is
  'Marks those of the next p_limit copies that their provider drops whose life there is nearly over and that nobody keeps: {next, copies, bytes, kept}; kept are the others, by provider: {provider, ending, ended, first_ends_in_ms}.';

create function public.copy_ages(p_accounts jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('provider', a.provider, 'share', coalesce(oldest.share, 0)) order by a.provider), '[]')
  from jsonb_to_recordset(public.json_argument(p_accounts)) as a (provider text, account text)
  left join lateral (
    select greatest(0, extract(epoch from clock_timestamp() - begun) / nullif(extract(epoch from c.expires_at - begun), 0))::double precision as share
    from public.provider_file_uploads c, coalesce(c.completed_at, c.created_at) as begun
    where c.provider = a.provider and c.account = a.account and c.upload_status = 'completed' and c.deleted_at is null
      and c.namespace = 'live' and c.expires_at > clock_timestamp()
    order by c.expires_at limit 1
  ) oldest on true;
$$;
comment on function public.copy_ages is
  'Of each account ({provider, account}) the share of its life at the provider that the copy which ends next has behind it: {provider, share}; 0 where none ends.';

revoke execute on function public.ending_copies, public.sweep_ending, public.copy_ages from public, anon, authenticated;
grant execute on function public.ending_copies, public.sweep_ending, public.copy_ages to service_role;
