-- Shadow comparisons at run time: the rate and the breaker that all processes share, and what a comparison leaves to be removed.

create table public.shadow_breakers (
  tool text primary key check (char_length(tool) between 1 and 100),
  began_at timestamptz not null default clock_timestamp(),
  minute timestamptz not null default date_trunc('minute', clock_timestamp(), 'UTC'),
  taken integer not null default 0 check (taken >= 0),
  step integer not null default 0 check (step >= 0),
  samples integer not null default 0 check (samples >= 0),
  failures integer not null default 0 check (failures >= 0),
  open_until timestamptz,
  opened_at timestamptz,
  opened_step integer
);
comment on table public.shadow_breakers is 'One row for each tool whose operations are compared: how many this minute, and whether shadowing rests.';
comment on column public.shadow_breakers.began_at is 'Since when shadowing lasts, where no operator has started it.';
comment on column public.shadow_breakers.samples is 'Comparisons of this step since shadowing last rested; failures are those at which the candidate alone failed.';
comment on column public.shadow_breakers.opened_step is 'The step in which it last opened: a roll-back verdict for that step.';
alter table public.shadow_breakers enable row level security;
revoke all on public.shadow_breakers from anon, authenticated;
grant select, insert, update, delete on public.shadow_breakers to service_role;

create function public.take_shadow_sample(
  p_tool text, p_step integer, p_max_per_minute integer, p_duration_seconds double precision, p_began_at timestamptz default null
) returns text
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_minute timestamptz := date_trunc('minute', v_now, 'UTC');
  v_row public.shadow_breakers;
begin
  insert into public.shadow_breakers (tool, step) values (p_tool, p_step) on conflict (tool) do nothing;
  select * into v_row from public.shadow_breakers b where b.tool = p_tool for update;
  if p_duration_seconds > 0 and v_now > coalesce(p_began_at, v_row.began_at) + make_interval(secs => p_duration_seconds) then
    return 'over';
  end if;
  -- A breaker that opened in an earlier step says nothing of this one.
  if v_row.open_until > v_now and v_row.opened_step = p_step then
    return 'open';
  end if;
  if v_row.minute = v_minute and v_row.taken >= p_max_per_minute then
    return 'rate';
  end if;
  update public.shadow_breakers b set
    minute = v_minute,
    taken = case when v_row.minute = v_minute then v_row.taken + 1 else 1 end,
    open_until = null,
    step = p_step,
    samples = case when v_row.step = p_step and v_row.open_until is null then v_row.samples else 0 end,
    failures = case when v_row.step = p_step and v_row.open_until is null then v_row.failures else 0 end
  where b.tool = p_tool;
  return 'taken';
end $$;
comment on function public.take_shadow_sample is
  'Whether an operation may be compared now: taken, or why not (rate: as many as may be this minute; open: the breaker; over: its time has passed).';

create or replace function public.record_shadow_comparison(p_comparison jsonb) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_row jsonb := public.json_argument(p_comparison);
  v_breaker jsonb := v_row -> 'breaker';
  v_tool text := v_row ->> 'tool';
  v_step integer := coalesce((v_row ->> 'step')::integer, 0);
  v_least integer;
begin
  insert into public.shadow_comparisons
    (tool, operation, operation_id, step, control, candidate, pair, matched, mismatches, noise_mismatches, control_ms, candidate_ms, rules)
  select c.tool, c.operation, c.operation_id, v_step, c.control, c.candidate, c.pair, c.mismatches = '{}', c.mismatches,
    c.noise_mismatches, c.control_ms, c.candidate_ms, coalesce(c.rules, '{}')
  from jsonb_to_record(v_row) as c (
    tool text, operation text, operation_id text, control jsonb, candidate jsonb, pair text, mismatches text[],
    noise_mismatches text[], control_ms double precision, candidate_ms double precision, rules jsonb
  )
  on conflict (tool, operation_id) do nothing;
  if not found or v_breaker is null then
    return found;
  end if;
  -- While a ramp is under way its own minimum counts, too: what opens the breaker then takes the ramp back.
  select greatest((v_breaker ->> 'min_samples')::integer, coalesce(max((r.settings -> 'rules' ->> 'minSamples')::integer), 1)) into v_least
  from public.rollouts r
  where r.tool = v_tool and r.epoch = v_step and r.status in ('running', 'paused', 'awaiting_approval', 'guarding');
  update public.shadow_breakers b set
    samples = b.samples + 1,
    failures = b.failures + case when v_row ->> 'pair' = 'candidateOnly' then 1 else 0 end
  where b.tool = v_tool and b.step = v_step;
  update public.shadow_breakers b set
    open_until = clock_timestamp() + make_interval(secs => (v_breaker ->> 'cooldown_seconds')::double precision),
    opened_at = clock_timestamp(), opened_step = v_step
  where b.tool = v_tool and b.step = v_step and (b.open_until is null or b.open_until <= clock_timestamp())
    and b.samples >= v_least and b.failures > (v_breaker ->> 'threshold')::double precision * b.samples;
  return true;
end $$;
comment on function public.record_shadow_comparison is
  'Records one comparison, and opens the breaker where the candidate alone fails too often. False when this operation was compared before.';

create or replace function public.rollout_evidence(p_tool text, p_epoch integer) returns jsonb
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
        'compared', count(*), 'differing', count(*) filter (where differ), 'slow', count(*) filter (where slow),
        'candidate_only', count(*) filter (where differ and not noise), 'control_only', count(*) filter (where not differ and noise)
      )
      from (
        -- The time is looked at apart from the results: one slow moment is no wrong file.
        select array_remove(c.mismatches, 'timing') <> '{}' as differ, 'timing' = any (c.mismatches) as slow,
          array_remove(c.noise_mismatches, 'timing') <> '{}' as noise
        from public.shadow_comparisons c
        where c.tool = p_tool and c.step = p_epoch and c.pair = 'neither'
      ) compared
    ),
    'fields', (
      select coalesce(jsonb_object_agg(field, count), '{}')
      from (
        select field, count(*) from public.shadow_comparisons c, unnest(c.mismatches) field
        where c.tool = p_tool and c.step = p_epoch and c.pair = 'neither' and field <> 'timing'
        group by field
      ) sums
    ),
    'breaker', exists (select from public.shadow_breakers b where b.tool = p_tool and b.opened_step = p_epoch)
  );
$$;
comment on function public.rollout_evidence is
  'What was seen in one step: operations and failures by arm, shadow comparisons by who failed, mismatches and their fields, whether the breaker opened.';

create or replace function public.list_step_minutes(p_tool text, p_epoch integer) returns jsonb
language sql stable set search_path = '' as $$
  with seen as (
    select o.minute, o.arm as what, sum(o.count) as count,
      coalesce(sum((select sum(value::bigint) from jsonb_each_text(o.failures))), 0) as failures
    from public.operation_outcomes o
    where o.tool = p_tool and o.step = p_epoch
    group by o.minute, o.arm
    union all
    select date_trunc('minute', c.created_at, 'UTC'), c.pair, count(*),
      count(*) filter (where array_remove(c.mismatches, 'timing') <> '{}')
    from public.shadow_comparisons c
    where c.tool = p_tool and c.step = p_epoch and c.pair is not null
    group by 1, 2
  )
  select coalesce(jsonb_agg(to_jsonb(seen) order by seen.minute, seen.what), '[]') from seen;
$$;

create index provider_file_uploads_shadow_idx on public.provider_file_uploads (idempotency_key text_pattern_ops)
  where namespace = 'shadow' and purged_at is null;

create function public.list_shadow_copies(p_idempotency_key text) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(c) || jsonb_build_object('sha256', f.sha256, 'size_bytes', f.size_bytes) order by c.id), '[]')
  from public.provider_file_uploads c
  join public.files f on f.id = c.file_id
  where c.namespace = 'shadow' and c.purged_at is null and starts_with(c.idempotency_key, p_idempotency_key || ' ');
$$;
comment on function public.list_shadow_copies is 'What a shadow comparison has uploaded, or began to: by the idempotency key of its upload.';

create function public.soft_delete_shadow_copy(p_copy_id uuid) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  if v_copy.namespace <> 'shadow' then
    raise exception 'copy % is no shadow copy', p_copy_id using errcode = 'PT409', detail = 'not_a_shadow_copy';
  end if;
  if v_copy.deleted_at is not null then
    return true;
  end if;
  return public.soft_delete_copy(p_copy_id, 'shadow');
end $$;
comment on function public.soft_delete_shadow_copy is 'Marks a shadow copy as deleted; false while its upload is under way.';

revoke execute on function public.take_shadow_sample, public.list_shadow_copies, public.soft_delete_shadow_copy from public, anon, authenticated;
grant execute on function public.take_shadow_sample, public.list_shadow_copies, public.soft_delete_shadow_copy to service_role;
