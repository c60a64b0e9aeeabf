-- An account at a provider: what it holds, whose object is whose, and how it looks from the processes that use it.

create function public.find_copy_by_object(p_provider text, p_account text, p_provider_file_id text) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('file', public.file_json(f), 'copy', to_jsonb(c))
  from public.provider_file_uploads c join public.files f on f.id = c.file_id
  where c.provider = p_provider and c.account = p_account and c.provider_file_id = p_provider_file_id
    and c.purged_at is null and c.deleted_at is null and c.upload_status = 'completed'
  -- One object can serve several purposes.
  order by c.namespace = 'live' desc, c.completed_at, c.id
  limit 1;
$$;
comment on function public.find_copy_by_object is
  'The completed, undeleted copy that stands on an object, and its file: {file, copy}; null where the ledger does not know the object.';

create function public.provider_usage(p_provider text, p_account text) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(used) order by used.purpose), '[]')
  from (
    select c.purpose, count(*) as files, coalesce(sum(f.size_bytes), 0)::bigint as bytes
    from public.provider_file_uploads c join public.files f on f.id = c.file_id
    where c.provider = p_provider and c.account = p_account and c.purged_at is null
      and ((c.upload_status = 'completed' and (c.expires_at is null or c.expires_at > clock_timestamp()))
        or (c.upload_status in ('pending', 'uploading') and c.lease_expires_at > clock_timestamp()))
    group by c.purpose
  ) used;
$$;
comment on function public.provider_usage is
  'Files and bytes that an account holds, by purpose: copies that are there (also deleted ones, until they are purged) or on their way.';

create table public.provider_states (
  provider text not null check (char_length(provider) between 1 and 100),
  account text not null check (char_length(account) between 1 and 200),
  reporter text not null check (char_length(reporter) between 1 and 300),
  circuit text not null check (circuit in ('closed', 'open', 'half_open')),
  last_error_code text,
  last_error text,
  last_error_at timestamptz,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (provider, account, reporter)
);
comment on table public.provider_states is 'How a provider looks from each process that uses it: its latest word, for a day.';
comment on column public.provider_states.reporter is 'Which process says so: <host>:<pid>.';
create index provider_states_updated_idx on public.provider_states (updated_at);

create trigger provider_states_updated_at before update on public.provider_states
  for each row execute function public.set_updated_at();

create function public.report_provider_state(
  p_provider text, p_account text, p_reporter text, p_circuit text, p_last_error_code text default null, p_last_error text default null,
  p_last_error_at timestamptz default null
) returns boolean
language plpgsql set search_path = '' as $$
begin
  insert into public.provider_states (provider, account, reporter, circuit, last_error_code, last_error, last_error_at)
  values (p_provider, p_account, p_reporter, p_circuit, p_last_error_code, p_last_error, p_last_error_at)
  on conflict (provider, account, reporter) do update set
    circuit = excluded.circuit, last_error_code = excluded.last_error_code, last_error = excluded.last_error,
    last_error_at = excluded.last_error_at;
  -- Of processes that have ended. Rows that another one is taking away already are left to it.
  delete from public.provider_states
  where (provider, account, reporter) in (
    select old.provider, old.account, old.reporter from public.provider_states old
    where old.updated_at < clock_timestamp() - interval '1 day'
    for update skip locked);
  return true;
end $$;
comment on function public.report_provider_state is 'Replaces what this process said of a provider before, and drops words older than a day.';

create function public.list_provider_states() returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(s) order by s.updated_at desc, s.provider, s.account, s.reporter), '[]')
  from public.provider_states s where s.updated_at >= clock_timestamp() - interval '1 day';
$$;
comment on function public.list_provider_states is 'What processes said of providers within the last day, the newest first.';

alter table public.provider_states enable row level security;
revoke all on public.provider_states from anon, authenticated;
grant select, insert, update, delete on public.provider_states to service_role;
revoke execute on function public.find_copy_by_object, public.provider_usage, public.report_provider_state, public.list_provider_states
  from public, anon, authenticated;
grant execute on function public.find_copy_by_object, public.provider_usage, public.report_provider_state, public.list_provider_states
  to service_role;
