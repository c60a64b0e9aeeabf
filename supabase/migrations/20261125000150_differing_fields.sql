-- What holds a ramp is named: the evidence of a step tells which fields differ, and how often.

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
        'compared', count(*), 'differing', count(*) filter (where c.mismatches <> '{}'),
        'candidate_only', count(*) filter (where c.mismatches <> '{}' and c.noise_mismatches = '{}'),
        'control_only', count(*) filter (where c.mismatches = '{}' and c.noise_mismatches <> '{}')
      )
      from public.shadow_comparisons c
      where c.tool = p_tool and c.step = p_epoch and c.pair = 'neither'
    ),
    'fields', (
      select coalesce(jsonb_object_agg(field, count), '{}')
      from (
        select field, count(*) from public.shadow_comparisons c, unnest(c.mismatches) field
        where c.tool = p_tool and c.step = p_epoch and c.pair = 'neither' group by field
      ) sums
    ),
    'breaker', exists (select from public.shadow_breakers b where b.tool = p_tool and b.opened_step = p_epoch)
  );
$$;
comment on function public.rollout_evidence is
  'What was seen in one step: operations and failures by arm, shadow comparisons by who failed, mismatches and their fields, whether the breaker opened.';
