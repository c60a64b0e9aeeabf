-- Deciding about rollouts: the new state and its line in the audit are one transaction, and a decision that is sent again is one.

alter table public.rollouts add column epoch integer not null default 0 check (epoch >= 0);
comment on column public.rollouts.epoch is
  'Counts the steps of all ramps of the tool: outcomes and comparisons carry it as their step, so that no step is judged by another one''s.';

alter table public.rollouts drop constraint rollouts_status_check;
alter table public.rollouts add constraint rollouts_status_check
  check (status in ('idle', 'running', 'paused', 'awaiting_approval', 'guarding', 'completed', 'rolled_back'));

alter table public.rollout_events add column decision_id uuid;
comment on column public.rollout_events.decision_id is 'Of the decision: the same one, sent again after a lost answer, is not a second line.';
create unique index rollout_events_decision_key on public.rollout_events (decision_id) where decision_id is not null;

create function public.decide_rollout(p_decision jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_decision jsonb := public.json_argument(p_decision);
  v_tool text := v_decision ->> 'tool';
  v_state jsonb := v_decision -> 'state';
  v_before public.rollouts;
  v_after public.rollouts;
begin
  insert into public.rollouts (tool) values (v_tool) on conflict (tool) do nothing;
  select * into v_before from public.rollouts r where r.tool = v_tool for update;
  if exists (select from public.rollout_events e where e.decision_id = (v_decision ->> 'decision_id')::uuid) then
    return to_jsonb(v_before);
  end if;
  update public.rollouts r set
    stage = coalesce(v_state ->> 'stage', r.stage),
    share = coalesce((v_state ->> 'share')::double precision, r.share),
    status = coalesce(v_state ->> 'status', r.status),
    step = coalesce((v_state ->> 'step')::integer, r.step),
    steps = coalesce((select array_agg(value::double precision order by ordinality)
      from jsonb_array_elements_text(v_state -> 'steps') with ordinality), r.steps),
    settings = coalesce(v_state -> 'settings', r.settings),
    epoch = r.epoch + case when (v_state ->> 'next_epoch')::boolean then 1 else 0 end,
    workflow_id = coalesce(v_decision ->> 'workflow_id', r.workflow_id),
    run_id = coalesce(v_decision ->> 'run_id', r.run_id),
    reason = v_decision ->> 'reason',
    started_at = case when v_decision ->> 'decision' = 'started' then clock_timestamp() else r.started_at end
  where r.tool = v_tool
  returning * into v_after;
  insert into public.rollout_events (
    decision_id, tool, decision, decided_by, reason, stage_before, stage_after, share_before, share_after, step, workflow_id, run_id, evidence
  ) values (
    (v_decision ->> 'decision_id')::uuid, v_tool, v_decision ->> 'decision', v_decision ->> 'decided_by', v_decision ->> 'reason',
    v_before.stage, v_after.stage, v_before.share, v_after.share, v_after.step, v_after.workflow_id, v_after.run_id,
    coalesce(v_decision -> 'evidence', '{}')
  );
  return to_jsonb(v_after);
end $$;
comment on function public.decide_rollout is 'Changes what is in force for a tool and writes why to the audit, both or neither. Idempotent by decision_id.';

create function public.list_rollouts(p_tool text default null) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(r) order by r.tool), '[]') from public.rollouts r where p_tool is null or r.tool = p_tool;
$$;

create function public.list_rollout_events(p_tool text, p_after bigint default null, p_limit integer default 1000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.id), '[]')
  from (
    select * from public.rollout_events e
    where e.tool = p_tool and (p_after is null or e.id > p_after)
    order by e.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_rollout_events is 'The audit of a tool, the oldest first.';

alter table public.shadow_comparisons
  add column pair text check (pair in ('both', 'neither', 'candidateOnly', 'legacyOnly')),
  add column noise_mismatches text[];
comment on column public.shadow_comparisons.pair is 'Who failed.';
comment on column public.shadow_comparisons.noise_mismatches is
  'The fields in which a second control run differed from the first; null where there was none.';
create index shadow_comparisons_step_idx on public.shadow_comparisons (tool, step);

create function public.record_shadow_comparison(p_comparison jsonb) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_row jsonb := public.json_argument(p_comparison);
begin
  insert into public.shadow_comparisons
    (tool, operation, operation_id, step, control, candidate, pair, matched, mismatches, noise_mismatches, control_ms, candidate_ms, rules)
  select c.tool, c.operation, c.operation_id, coalesce(c.step, 0), c.control, c.candidate, c.pair, c.mismatches = '{}', c.mismatches,
    c.noise_mismatches, c.control_ms, c.candidate_ms, coalesce(c.rules, '{}')
  from jsonb_to_record(v_row) as c (
    tool text, operation text, operation_id text, step integer, control jsonb, candidate jsonb, pair text, mismatches text[],
    noise_mismatches text[], control_ms double precision, candidate_ms double precision, rules jsonb
  )
  on conflict (tool, operation_id) do nothing;
  return found;
end $$;
comment on function public.record_shadow_comparison is 'Records one comparison. False when this operation was compared before.';

create function public.rollout_evidence(p_tool text, p_epoch integer) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'arms', (
      select coalesce(jsonb_object_agg(arm, jsonb_build_object('operations', operations, 'failures', failures)), '{}')
      from (
        select o.arm, sum(o.count) as operations,
          coalesce(sum((select sum(value::bigint) from jsonb_each_text(o.failures))), 0) as failures
        from public.operation_outcomes o
        where o.tool = p_tool and o.step = p_epoch
        group by o.arm
      ) sums
    ),
    'pairs', (
      select coalesce(jsonb_object_agg(pair, count), '{}')
      from (
        select c.pair, count(*) from public.shadow_comparisons c
        where c.tool = p_tool and c.step = p_epoch and c.pair is not null group by c.pair
      ) sums
    ),
    'mismatches', (
      select jsonb_build_object(
        'compared', count(*), 'differing', count(*) filter (where c.mismatches <> '{}'),
        'candidate_only', count(*) filter (where c.mismatches <> '{}' and c.noise_mismatches = '{}'),
        'control_only', count(*) filter (where c.mismatches = '{}' and c.noise_mismatches <> '{}')
      )
      from public.shadow_comparisons c
      where c.tool = p_tool and c.step = p_epoch and c.pair = 'neither'
    )
  );
$$;
comment on function public.rollout_evidence is 'What was seen in one step: operations and failures by arm, shadow comparisons by who failed, mismatches.';

create function public.list_step_minutes(p_tool text, p_epoch integer) returns jsonb
language sql stable set search_path = '' as $$
  with seen as (
    select o.minute, o.arm as what, sum(o.count) as count,
      coalesce(sum((select sum(value::bigint) from jsonb_each_text(o.failures))), 0) as failures
    from public.operation_outcomes o
    where o.tool = p_tool and o.step = p_epoch
    group by o.minute, o.arm
    union all
    select date_trunc('minute', c.created_at, 'UTC'), c.pair, count(*), count(*) filter (where c.mismatches <> '{}')
    from public.shadow_comparisons c
    where c.tool = p_tool and c.step = p_epoch and c.pair is not null
    group by 1, 2
  )
  select coalesce(jsonb_agg(to_jsonb(seen) order by seen.minute, seen.what), '[]') from seen;
$$;
comment on function public.list_step_minutes is
  'What one step has seen, minute by minute: operations of each arm with their failures, comparisons of each pair with those that differ.';

create function public.shadow_report(p_tool text, p_since timestamptz default null, p_examples integer default 5) returns jsonb
language sql stable set search_path = '' as $$
  with chosen as (
    select * from public.shadow_comparisons c where c.tool = p_tool and (p_since is null or c.created_at >= p_since)
  )
  select jsonb_build_object(
    'comparisons', (select count(*) from chosen),
    'matched', (select count(*) from chosen where matched),
    'with_noise', (select count(*) from chosen where noise_mismatches is not null),
    'pairs', (select coalesce(jsonb_object_agg(pair, count), '{}') from (select pair, count(*) from chosen where pair is not null group by pair) p),
    'fields', (
      select coalesce(jsonb_agg(to_jsonb(f) order by f.differing desc, f.field), '[]')
      from (
        select field, count(*) filter (where side = 'candidate') as differing, count(*) filter (where side = 'noise') as noise
        from (
          select unnest(mismatches) as field, 'candidate' as side from chosen
          union all select unnest(noise_mismatches), 'noise' from chosen
        ) both_sides
        group by field
      ) f
    ),
    'examples', (
      select coalesce(jsonb_agg(to_jsonb(e) - 'rules' order by e.created_at desc), '[]')
      from (select * from chosen where not matched order by created_at desc limit least(greatest(p_examples, 0), 100)) e
    ),
    'timing_ms', (
      select jsonb_build_object(
        'control', to_jsonb(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by control_ms)),
        'candidate', to_jsonb(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by candidate_ms))
      )
      from chosen
    )
  );
$$;
comment on function public.shadow_report is 'How many comparisons, which fields differ how often and how often by noise, examples, quantiles 0.5, 0.95 and 0.99 of both times.';

create table public.operator_settings (
  key text primary key check (char_length(key) between 1 and 100),
  value jsonb not null,
  set_by text not null check (char_length(set_by) between 1 and 200),
  updated_at timestamptz not null default now()
);
comment on table public.operator_settings is 'What operators change while things run, such as shadow mode. The environment gives the first value.';
create trigger operator_settings_updated_at before update on public.operator_settings
  for each row execute function public.set_updated_at();

create function public.set_operator_setting(p_key text, p_value jsonb, p_set_by text) returns boolean
language sql set search_path = '' as $$
  insert into public.operator_settings (key, value, set_by) values (p_key, public.json_argument(p_value), p_set_by)
  on conflict (key) do update set value = excluded.value, set_by = excluded.set_by
  returning true;
$$;

create function public.get_facade_state() returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'rollouts', (
      select coalesce(jsonb_agg(jsonb_build_object('tool', r.tool, 'stage', r.stage, 'share', r.share, 'epoch', r.epoch, 'status', r.status)), '[]')
      from public.rollouts r
    ),
    'settings', (select coalesce(jsonb_object_agg(s.key, s.value), '{}') from public.operator_settings s)
  );
$$;
comment on function public.get_facade_state is 'All that a facade asks for every few seconds, in one answer.';

alter table public.operator_settings enable row level security;
revoke all on public.operator_settings from anon, authenticated;
grant select, insert, update, delete on public.operator_settings to service_role;
revoke execute on function public.decide_rollout, public.list_rollouts, public.list_rollout_events, public.record_shadow_comparison,
  public.rollout_evidence, public.list_step_minutes, public.shadow_report, public.set_operator_setting, public.get_facade_state
  from public, anon, authenticated;
grant execute on function public.decide_rollout, public.list_rollouts, public.list_rollout_events, public.record_shadow_comparison,
  public.rollout_evidence, public.list_step_minutes, public.shadow_report, public.set_operator_setting, public.get_facade_state
  to service_role;
