-- operation_outcomes: how operations went, per tool, arm, step and minute. Written in batches.

create table public.operation_outcomes (
  tool text not null check (char_length(tool) between 1 and 100),
  arm text not null check (char_length(arm) between 1 and 100),
  step integer not null default 0 check (step >= 0),
  minute timestamptz not null check (minute = date_trunc('minute', minute, 'UTC')),
  count bigint not null check (count >= 0),
  failures jsonb not null default '{}' check (jsonb_typeof(failures) = 'object'),
  latency jsonb not null default '{}' check (jsonb_typeof(latency) = 'object'),
  updated_at timestamptz not null default now(),
  primary key (tool, arm, step, minute)
);
comment on column public.operation_outcomes.count is 'All operations of that minute, failures included.';
comment on column public.operation_outcomes.failures is 'How many failed, by code: {"rate_limited": 3}. Fallbacks count against the candidate.';
comment on column public.operation_outcomes.latency is 'Histogram: operations by the upper bound of their bucket in ms: {"50": 120, "100": 8, "+Inf": 1}.';
create index operation_outcomes_minute_idx on public.operation_outcomes (minute);

create table public.operation_outcome_batches (
  id uuid primary key,
  recorded_at timestamptz not null default now()
);
comment on table public.operation_outcome_batches is 'Batches of the last day, so that one that is sent again after a timeout is not counted twice.';
create index operation_outcome_batches_recorded_idx on public.operation_outcome_batches (recorded_at);

create function public.add_counts(p_a jsonb, p_b jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(key, total), '{}')
  from (
    select key, sum(value::bigint) as total
    from (select * from jsonb_each_text(p_a) union all select * from jsonb_each_text(p_b)) both_sides
    group by key
  ) sums;
$$;
comment on function public.add_counts is 'The sum of two objects of counts, key by key.';

create function public.record_operation_outcomes(p_batch_id uuid, p_outcomes jsonb) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_row record;
begin
  insert into public.operation_outcome_batches (id) values (p_batch_id) on conflict (id) do nothing;
  if not found then
    return false;
  end if;
  -- In the order of the key, so that two batches at once cannot deadlock.
  for v_row in
    select o.tool, o.arm, coalesce(o.step, 0) as step, date_trunc('minute', o.minute, 'UTC') as minute, o.count,
      coalesce(o.failures, '{}') as failures, coalesce(o.latency, '{}') as latency
    from jsonb_to_recordset(public.json_argument(p_outcomes))
      as o (tool text, arm text, step integer, minute timestamptz, count bigint, failures jsonb, latency jsonb)
    order by 1, 2, 3, 4
  loop
    insert into public.operation_outcomes as t (tool, arm, step, minute, count, failures, latency)
    values (v_row.tool, v_row.arm, v_row.step, v_row.minute, v_row.count, v_row.failures, v_row.latency)
    on conflict (tool, arm, step, minute) do update set
      count = t.count + excluded.count,
      failures = public.add_counts(t.failures, excluded.failures),
      latency = public.add_counts(t.latency, excluded.latency),
      updated_at = now();
  end loop;
  delete from public.operation_outcome_batches where recorded_at < now() - interval '1 day';
  return true;
end $$;
comment on function public.record_operation_outcomes is 'Adds a batch of counts, all or nothing. False when this batch was added before.';

alter table public.operation_outcomes enable row level security;
alter table public.operation_outcome_batches enable row level security;
revoke all on public.operation_outcomes, public.operation_outcome_batches from anon, authenticated;
grant select, insert, update, delete on public.operation_outcomes, public.operation_outcome_batches to service_role;
revoke execute on function public.add_counts, public.record_operation_outcomes from public, anon, authenticated;
grant execute on function public.add_counts, public.record_operation_outcomes to service_role;
