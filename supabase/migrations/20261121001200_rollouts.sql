-- rollouts: today's share per tool. rollout_events: every decision, by whom, why, and the evidence in numbers; never changed.

create table public.rollouts (
  tool text primary key check (char_length(tool) between 1 and 100),
  stage text not null default 'off' check (stage in ('off', 'dual_write', 'shadow', 'live', 'ramp_down', 'complete')),
  share double precision not null default 0 check (share >= 0 and share <= 100),
  status text not null default 'idle' check (status in ('idle', 'running', 'paused', 'guarding', 'completed', 'rolled_back')),
  step integer not null default 0 check (step >= 0),
  steps double precision[] not null default '{}',
  settings jsonb not null default '{}',
  workflow_id text,
  run_id text,
  reason text,
  started_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.rollouts.share is 'Percentage of users, 0 to 100, whom unified serves; fractions allowed.';
comment on column public.rollouts.settings is 'Thresholds and times in force for this rollout.';

create trigger rollouts_updated_at before update on public.rollouts for each row execute function public.set_updated_at();

create table public.rollout_events (
  id bigint generated always as identity primary key,
  tool text not null check (char_length(tool) between 1 and 100),
  at timestamptz not null default clock_timestamp(),
  decision text not null check (char_length(decision) between 1 and 100),
  decided_by text not null check (char_length(decided_by) > 0),
  reason text not null,
  stage_before text,
  stage_after text,
  share_before double precision check (share_before between 0 and 100),
  share_after double precision check (share_after between 0 and 100),
  step integer,
  workflow_id text,
  run_id text,
  evidence jsonb not null default '{}'
);
comment on table public.rollout_events is 'Audit of every decision about a rollout. Rows are added and never changed.';
comment on column public.rollout_events.decided_by is 'A person, or the judge.';
create index rollout_events_tool_idx on public.rollout_events (tool, id);

create function public.refuse_change_of_audit() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception '% is an audit: rows are added to it, and never changed or deleted', tg_table_name
    using errcode = 'PT409', detail = 'append_only';
end $$;
revoke execute on function public.refuse_change_of_audit() from public, anon, authenticated;

create trigger rollout_events_append_only before update or delete or truncate on public.rollout_events
  for each statement execute function public.refuse_change_of_audit();

alter table public.rollouts enable row level security;
alter table public.rollout_events enable row level security;
revoke all on public.rollouts, public.rollout_events from anon, authenticated, service_role;
grant select, insert, update, delete on public.rollouts to service_role;
grant select, insert on public.rollout_events to service_role;
