-- The second half of a sweep: objects whose grace is over are deleted at their provider, a page at a time. What `begin_purge` decides
-- for one copy is decided here for many, in one round trip.

create index provider_file_uploads_unpurged_idx on public.provider_file_uploads (id) where deleted_at is not null and purged_at is null;

create function public.due_purges(p_run_id uuid, p_owner text, p_after uuid default null, p_limit integer default 200) returns jsonb
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
comment on function public.due_purges is
  'Of the next p_limit deleted copies those whose object may go now: not on hold, not kept, not in review unless asked for. Reads only.';

create function public.sweep_reason(p_deletion_reason text) returns text
language sql immutable set search_path = '' as $$
  select case when p_deletion_reason in ('expired', 'orphaned', 'quota') then p_deletion_reason else 'deleted' end;
$$;
comment on function public.sweep_reason is 'Why a copy was marked, as sweeps count it: people give reasons in their own words.';

create function public.record_purge(p_run_id uuid, p_copy public.provider_file_uploads, p_outcome text, p_code text) returns void
language sql volatile set search_path = '' as $$
  insert into public.sweep_items (run_id, action, reason, copy_id, file_id, provider, account, size_bytes, outcome, code)
  select p_run_id, 'purge', public.sweep_reason(p_copy.deletion_reason), p_copy.id, p_copy.file_id, p_copy.provider, p_copy.account,
    coalesce((select f.size_bytes from public.files f where f.id = p_copy.file_id), 0), p_outcome, p_code
  on conflict (run_id, action, copy_id) do update set outcome = excluded.outcome, code = excluded.code;
$$;

comment on function public.record_purge is 'Writes down how the purge of a copy stands in a sweep; the last word counts.';

create function public.begin_purges(p_run_id uuid, p_copy_ids jsonb, p_owner text, p_lease_seconds double precision) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_ids uuid[];
  v_files uuid[];
  v_copy public.provider_file_uploads;
  v_now public.provider_file_uploads;
  v_begun jsonb := '[]';
  v_closed integer := 0;
  v_kept integer := 0;
begin
  select coalesce(array_agg(id::uuid), '{}') into v_ids from jsonb_array_elements_text(public.json_argument(p_copy_ids)) id;
  v_files := public.lock_free_files(array(select c.file_id from public.provider_file_uploads c where c.id = any (v_ids)));
  for v_copy in
    select c.* from public.provider_file_uploads c
    where c.file_id = any (v_files) and c.deleted_at is not null
      and (c.id = any (v_ids)
        -- Deleted copies of the same object go with it, and are counted with it.
        or c.purged_at is null and exists (
          select from public.provider_file_uploads a
          where a.id = any (v_ids) and a.file_id = c.file_id and a.provider = c.provider and a.account = c.account
            and a.namespace = c.namespace and a.provider_file_id = c.provider_file_id))
    order by c.file_id, c.id = any (v_ids) desc, c.id
  loop
    if public.begin_purge(v_copy.id, p_owner, p_lease_seconds) is not null then
      v_begun := v_begun || jsonb_build_object('copy_id', v_copy.id, 'provider', v_copy.provider, 'account', v_copy.account,
        'purpose', v_copy.purpose, 'namespace', v_copy.namespace, 'provider_file_id', v_copy.provider_file_id,
        'sha256', (select f.sha256 from public.files f where f.id = v_copy.file_id),
        'size_bytes', (select f.size_bytes from public.files f where f.id = v_copy.file_id),
        'reason', public.sweep_reason(v_copy.deletion_reason));
      perform public.record_purge(p_run_id, v_copy, 'begun', null);
      continue;
    end if;
    select * into v_now from public.provider_file_uploads c where c.id = v_copy.id;
    if v_now.purged_at is not null then
      v_closed := v_closed + 1;
    else
      v_kept := v_kept + 1;
    end if;
    perform public.record_purge(p_run_id, v_copy, case when v_now.purged_at is not null then 'done' else 'kept' end, null);
  end loop;
  return jsonb_build_object('begun', v_begun, 'closed', v_closed, 'kept', v_kept);
end $$;
comment on function public.begin_purges is
  'begin_purge for many: {begun, closed, kept}. Closed: without an object of their own to delete. What is worked on now is left out.';

create function public.end_purges(p_run_id uuid, p_owner text, p_results jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
  v_result record;
  v_copy public.provider_file_uploads;
  v_outcome text;
  v_count integer := 0;
begin
  for v_result in
    select r.copy_id, r.outcome, r.code, c.file_id
    from jsonb_to_recordset(public.json_argument(p_results)) as r (copy_id uuid, outcome text, code text)
    join public.provider_file_uploads c on c.id = r.copy_id
    order by c.file_id, c.id
  loop
    v_outcome := v_result.outcome;
    if v_outcome = 'done' and not public.complete_purge(v_result.copy_id, p_owner) then
      v_outcome := 'left';
    elsif v_outcome = 'failed' and not public.fail_purge(v_result.copy_id, p_owner, v_result.code) then
      v_outcome := 'left';
    elsif v_outcome in ('left', 'skipped') then
      update public.provider_file_uploads set lease_owner = null, lease_expires_at = null
      where id = v_result.copy_id and lease_owner = p_owner and purged_at is null;
    end if;
    select * into v_copy from public.provider_file_uploads c where c.id = v_result.copy_id;
    -- Said twice, because an answer was lost: what is on record already stands.
    if v_outcome = 'left' and v_copy.purged_at is not null then
      continue;
    end if;
    perform public.record_purge(p_run_id, v_copy, v_outcome, v_result.code);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
comment on function public.end_purges is
  'How purges ended: complete_purge, fail_purge, or (left, skipped) giving the right to it back; planned is only recorded. How many.';

revoke execute on function public.due_purges, public.sweep_reason, public.record_purge, public.begin_purges, public.end_purges
  from public, anon, authenticated;
grant execute on function public.due_purges, public.sweep_reason, public.record_purge, public.begin_purges, public.end_purges to service_role;
