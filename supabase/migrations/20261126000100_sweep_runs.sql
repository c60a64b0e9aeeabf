-- What each retention sweep was told, what it did, and what a dry run would have done.

create table public.sweep_runs (
  id uuid primary key,
  workflow_id text,
  dry_run boolean not null,
  rules jsonb not null,
  status text not null default 'running' check (status in ('running', 'completed', 'stopped', 'failed', 'interrupted')),
  reason text,
  totals jsonb not null default '[]',
  notes jsonb not null default '[]',
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  check ((status = 'running') = (ended_at is null))
);
comment on table public.sweep_runs is 'One row per retention sweep: its rules, how it ended, and its totals by reason.';
comment on column public.sweep_runs.rules is
  'retentionDays, orphanDays, graceDays, quotaMinAgeDays, includeReview. All ages count from started_at, which is the clock of the database.';
comment on column public.sweep_runs.notes is 'What a person should know of it: accounts that could not be counted, for example.';
create index sweep_runs_started_idx on public.sweep_runs (started_at desc);

create table public.sweep_items (
  id bigint generated always as identity primary key,
  run_id uuid not null references public.sweep_runs (id) on delete cascade,
  action text not null check (action in ('mark', 'purge')),
  reason text not null check (reason in ('expired', 'orphaned', 'quota', 'deleted')),
  copy_id uuid not null,
  file_id uuid not null,
  provider text not null,
  account text not null,
  size_bytes bigint not null default 0,
  outcome text not null check (outcome in ('planned', 'begun', 'done', 'kept', 'failed', 'skipped', 'left')),
  code text,
  unique (run_id, action, copy_id)
);
comment on table public.sweep_items is 'Each copy that a sweep marked as deleted or purged (or, in a dry run, would have). No foreign keys: it is a record.';
comment on column public.sweep_items.outcome is
  'planned: dry run; begun: being purged; done; kept: somebody holds it again; failed; skipped: not reachable from here; left: for the next sweep.';
create index sweep_items_page_idx on public.sweep_items (run_id, id);

alter table public.sweep_runs enable row level security;
alter table public.sweep_items enable row level security;
revoke all on public.sweep_runs, public.sweep_items from anon, authenticated;
grant select, insert, update, delete on public.sweep_runs, public.sweep_items to service_role;

create function public.sweep_days(p_rules jsonb, p_rule text) returns interval
language sql immutable set search_path = '' as $$
  select make_interval(secs => (p_rules ->> p_rule)::double precision * 86400);
$$;
comment on function public.sweep_days is 'A rule of a sweep that is given in days.';

create function public.sweep_totals(p_run_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(t) order by t.action, t.reason, t.outcome), '[]')
  from (
    select i.action, i.reason, i.outcome, count(*) as copies, coalesce(sum(i.size_bytes), 0)::bigint as bytes
    from public.sweep_items i where i.run_id = p_run_id
    group by i.action, i.reason, i.outcome
  ) t;
$$;
comment on function public.sweep_totals is 'What a sweep did so far, counted from its items: exact whatever was sent twice.';

create function public.begin_sweep(p_run_id uuid, p_workflow_id text, p_dry_run boolean, p_rules jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_rules jsonb := public.json_argument(p_rules);
  v_run public.sweep_runs;
  v_rule text;
begin
  foreach v_rule in array array['retentionDays', 'orphanDays', 'graceDays', 'quotaMinAgeDays'] loop
    if v_rules ->> v_rule is null or (v_rules ->> v_rule)::double precision not between 0 and 36500 then
      raise exception 'a sweep with % of % is not possible: it must be from 0 to 36500 days', v_rule, coalesce(v_rules ->> v_rule, 'nothing')
        using errcode = 'PT400', detail = 'invalid_rules';
    end if;
  end loop;
  insert into public.sweep_runs (id, workflow_id, dry_run, rules) values (p_run_id, p_workflow_id, p_dry_run, v_rules)
  on conflict (id) do nothing;
  select * into strict v_run from public.sweep_runs where id = p_run_id;
  -- Temporal runs one sweep at a time: one before it that has not said how it ended was terminated.
  update public.sweep_runs set status = 'interrupted', ended_at = clock_timestamp(), totals = public.sweep_totals(id)
  where status = 'running' and dry_run = v_run.dry_run and id <> p_run_id and started_at <= v_run.started_at;
  delete from public.sweep_runs where id in (
    select old.id from public.sweep_runs old
    where old.ended_at < clock_timestamp() - interval '90 days'
    order by old.ended_at limit 3 for update skip locked);
  return to_jsonb(v_run);
end $$;
comment on function public.begin_sweep is
  'The row of a sweep; idempotent by its id. PT400 invalid_rules. Drops sweeps of more than 90 days ago, a few at a time.';

create function public.end_sweep(p_run_id uuid, p_status text, p_reason text, p_notes jsonb default '[]') returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_run public.sweep_runs;
begin
  update public.sweep_runs set
    status = p_status, reason = p_reason, notes = coalesce(public.json_argument(p_notes), '[]'), totals = public.sweep_totals(id),
    ended_at = coalesce(ended_at, clock_timestamp())
  where id = p_run_id
  returning * into v_run;
  if not found then
    raise exception 'the ledger has no sweep %', p_run_id using errcode = 'PT404', detail = 'sweep_not_found';
  end if;
  return to_jsonb(v_run);
end $$;
comment on function public.end_sweep is 'How a sweep ended, with its totals; idempotent. PT404 when unknown.';

create function public.list_sweeps(p_limit integer default 10) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(
    to_jsonb(r) || case when r.ended_at is null then jsonb_build_object('totals', public.sweep_totals(r.id)) else '{}' end
    order by r.started_at desc, r.id), '[]')
  from (select * from public.sweep_runs order by started_at desc, id limit least(greatest(p_limit, 1), 1000)) r;
$$;
comment on function public.list_sweeps is 'The newest sweeps, with their totals: of one that runs, those so far.';

create function public.list_sweep_items(p_run_id uuid, p_after bigint default null, p_limit integer default 1000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.id), '[]')
  from (
    select i.*, f.original_name as name
    from public.sweep_items i left join public.files f on f.id = i.file_id
    where i.run_id = p_run_id and (p_after is null or i.id > p_after)
    order by i.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_sweep_items is 'What a sweep did to which copy, in the order in which it did it.';

create index provider_file_uploads_review_idx on public.provider_file_uploads (id) where needs_review and purged_at is null;

create function public.retention_state() returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'now', clock_timestamp(),
    'in_review', (select count(*) from public.provider_file_uploads c where c.needs_review and c.purged_at is null),
    'waiting', (select count(*) from public.provider_file_uploads c where c.deleted_at is not null and c.purged_at is null),
    'last_success', (
      select to_jsonb(r) from public.sweep_runs r where r.status = 'completed' and not r.dry_run order by r.started_at desc limit 1));
$$;
comment on function public.retention_state is
  'How retention stands: copies that wait to be purged or for a person, the last sweep that came to its end, and the time of the database.';

revoke execute on function public.sweep_days, public.sweep_totals, public.begin_sweep, public.end_sweep, public.list_sweeps, public.list_sweep_items,
  public.retention_state from public, anon, authenticated;
grant execute on function public.sweep_days, public.sweep_totals, public.begin_sweep, public.end_sweep, public.list_sweeps, public.list_sweep_items,
  public.retention_state to service_role;
