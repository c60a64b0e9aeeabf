-- Who put a file on hold, or took the hold off, when and why.

create table public.file_holds (
  id bigint generated always as identity primary key,
  file_id uuid not null references public.files (id),
  hold boolean not null,
  reason text,
  set_by text not null check (char_length(set_by) between 1 and 200),
  at timestamptz not null default clock_timestamp()
);
comment on table public.file_holds is 'The audit of legal holds: what is in force is legal_hold of the copies.';
create index file_holds_file_idx on public.file_holds (file_id, id);

alter table public.file_holds enable row level security;
revoke all on public.file_holds from anon, authenticated;
grant select, insert on public.file_holds to service_role;

create function public.hold_file(p_file_id uuid, p_hold boolean, p_reason text, p_set_by text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_file_id uuid := public.lock_file(p_file_id);
  v_copies integer;
begin
  v_copies := public.set_legal_hold(v_file_id, p_hold);
  if v_copies > 0 then
    insert into public.file_holds (file_id, hold, reason, set_by) values (v_file_id, p_hold, p_reason, p_set_by);
  end if;
  return jsonb_build_object('file_id', v_file_id, 'copies', v_copies, 'purging', (
    select count(*) from public.provider_file_uploads c
    where c.file_id = v_file_id and c.purge_started_at is not null and c.purged_at is null and c.lease_expires_at > clock_timestamp()));
end $$;
comment on function public.hold_file is
  'Puts a file on hold or takes the hold off: {file_id, copies, purging}. Without a copy that is there nothing is held. Purges that have begun cannot be stopped.';

create function public.list_file_holds(p_file_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(h) order by h.id), '[]') from public.file_holds h where h.file_id = public.resolve_file_id(p_file_id);
$$;
comment on function public.list_file_holds is 'Every hold that a file was put on and taken off, the oldest first.';

revoke execute on function public.hold_file, public.list_file_holds from public, anon, authenticated;
grant execute on function public.hold_file, public.list_file_holds to service_role;
