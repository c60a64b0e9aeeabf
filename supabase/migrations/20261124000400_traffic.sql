-- When each arm of each tool was last used: nobody switches legacy off while it still serves somebody.

create function public.list_traffic(p_since timestamptz) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(used) order by used.tool, used.arm), '[]')
  from (
    select o.tool, o.arm, max(o.minute) as last_at, sum(o.count)::bigint as operations
    from public.operation_outcomes o
    -- The minute in which the time lies counts as a whole: better one operation too many than one overlooked.
    where o.minute >= date_trunc('minute', p_since, 'UTC') and o.count > 0
    group by o.tool, o.arm
  ) used;
$$;
comment on function public.list_traffic is 'Operations of every tool and arm since a time, and the minute of the last one.';

revoke execute on function public.list_traffic from public, anon, authenticated;
grant execute on function public.list_traffic to service_role;
