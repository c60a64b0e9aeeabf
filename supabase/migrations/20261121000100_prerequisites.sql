-- What the other migrations lean on.

create function public.set_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end $$;
comment on function public.set_updated_at() is 'Keeps updated_at true, whoever writes the row.';
revoke execute on function public.set_updated_at() from public, anon, authenticated;

create function public.json_argument(p_value jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select case jsonb_typeof(p_value) when 'string' then (p_value #>> '{}')::jsonb else p_value end;
$$;
comment on function public.json_argument(jsonb) is
  'An argument of a function as it was sent: Supabase Lite 0.10 hands arrays and objects over as a JSON string of their text.';
revoke execute on function public.json_argument(jsonb) from public, anon, authenticated;
grant execute on function public.json_argument(jsonb) to service_role;

grant usage on schema public to service_role, authenticated;

-- Hosted projects have granted this already, and there nobody but the platform may; elsewhere we must.
do $$
begin
  if not has_schema_privilege('authenticated', 'auth', 'usage') then
    grant usage on schema auth to authenticated;
  end if;
  if not has_schema_privilege('service_role', 'auth', 'usage') then
    grant usage on schema auth to service_role;
  end if;
end $$;
