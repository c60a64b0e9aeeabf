-- Every function that changes what is true of a content locks its row in `files` first, and the rows of its copies after it: the
-- order is always the same, so that callers wait for one another and never deadlock.

create function public.resolve_file_id(p_file_id uuid) returns uuid
language sql stable set search_path = '' as $$
  select coalesce(f.duplicate_of, f.id) from public.files f where f.id = p_file_id;
$$;
comment on function public.resolve_file_id(uuid) is 'The id that stands for the content of an old id: itself, or the row it duplicates. Null when unknown.';

create function public.lock_file(p_file_id uuid) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_id uuid := p_file_id;
  v_next uuid;
begin
  loop
    select f.duplicate_of into v_next from public.files f where f.id = v_id for no key update;
    if not found then
      raise exception 'the ledger has no file %', p_file_id using errcode = 'PT404', detail = 'file_not_found';
    end if;
    exit when v_next is null;
    v_id := v_next;
  end loop;
  return v_id;
end $$;
comment on function public.lock_file(uuid) is 'Locks the row that stands for a file until the transaction ends; its id. PT404 when unknown.';

create function public.lock_copy(p_copy_id uuid) returns public.provider_file_uploads
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads;
begin
  perform from public.files f
  where f.id = (select c.file_id from public.provider_file_uploads c where c.id = p_copy_id)
  for no key update;
  select * into v_copy from public.provider_file_uploads c where c.id = p_copy_id for no key update;
  if not found then
    raise exception 'the ledger has no copy %', p_copy_id using errcode = 'PT404', detail = 'copy_not_found';
  end if;
  return v_copy;
end $$;
comment on function public.lock_copy(uuid) is 'Locks the content of a copy, and reads the copy as it is then. PT404 when unknown.';

create function public.lease_until(p_seconds double precision) returns timestamptz
language plpgsql volatile set search_path = '' as $$
begin
  if p_seconds is null or not (p_seconds > 0 and p_seconds <= 86400) then
    raise exception 'a lease of % seconds is not possible: it must be above 0 and at most 86400', p_seconds
      using errcode = 'PT400', detail = 'invalid_lease';
  end if;
  return clock_timestamp() + make_interval(secs => p_seconds);
end $$;
comment on function public.lease_until(double precision) is 'When a lease given now ends, by the clock of the database. PT400 for less than nothing or more than a day.';

revoke execute on function public.resolve_file_id(uuid), public.lock_file(uuid), public.lock_copy(uuid),
  public.lease_until(double precision) from public, anon, authenticated;
grant execute on function public.resolve_file_id(uuid), public.lock_file(uuid), public.lock_copy(uuid),
  public.lease_until(double precision) to service_role;
