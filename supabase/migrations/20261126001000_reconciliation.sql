-- Reconciliation: what the ledger knows of the objects that a provider lists, what of the ledger no listing has shown, what was found,
-- and the two ways of settling it. All times are those of the database.

create table public.object_sightings (
  copy_id uuid primary key references public.provider_file_uploads (id) on delete cascade,
  seen_at timestamptz not null
);
comment on table public.object_sightings is
  'When the object of a copy was last seen in a listing of its provider. A table of its own, so that seeing a copy does not change it.';

create table public.reconcile_items (
  run_id text not null check (char_length(run_id) between 1 and 200),
  position bigint not null generated always as identity,
  provider text not null,
  account text not null,
  kind text not null check (kind in ('lost', 'unknown', 'other_size', 'other_hash', 'purged', 'stranded', 'foreign')),
  object_id text not null,
  copy_id uuid,
  file_id uuid,
  name text,
  namespace text,
  expected_bytes bigint,
  found_bytes bigint,
  expected_sha256 text,
  found_sha256 text,
  object_created_at timestamptz,
  copy_updated_at timestamptz,
  action text not null default 'none' check (action in ('none', 'invalidated', 'moved', 'left_to_retention', 'left', 'failed')),
  detail text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (run_id, position)
);
comment on table public.reconcile_items is 'What a reconciliation found, one row for each object or copy that disagrees. A record: it outlives what it tells of.';
comment on column public.reconcile_items.copy_updated_at is 'The copy as it was judged: one that has changed since is left alone.';
comment on column public.reconcile_items.expected_sha256 is 'Of the ledger; of an object without a row, what its key says.';
comment on column public.reconcile_items.detail is 'Where an object was moved, or why it was left.';
-- A page of a listing can be given twice: the same object of a run is found once. Lost ones are told apart by their copy.
create unique index reconcile_items_object_key
  on public.reconcile_items (run_id, provider, md5(object_id), coalesce(copy_id, '00000000-0000-0000-0000-000000000000')) where kind = 'lost';
create unique index reconcile_items_listed_key on public.reconcile_items (run_id, provider, md5(object_id)) where kind <> 'lost';

create trigger reconcile_items_updated_at before update on public.reconcile_items
  for each row execute function public.set_updated_at();

create function public.ledger_time() returns timestamptz
language sql volatile set search_path = '' as $$
  select clock_timestamp();
$$;
comment on function public.ledger_time is 'The clock of the database, which decides what is old enough.';

create function public.copy_facts(p_copy public.provider_file_uploads, p_file public.files, p_grace_seconds double precision) returns jsonb
language sql volatile set search_path = '' as $$
  select jsonb_build_object('copy_id', p_copy.id, 'file_id', p_copy.file_id, 'namespace', p_copy.namespace,
    'upload_status', p_copy.upload_status, 'provider_file_id', p_copy.provider_file_id, 'purpose', p_copy.purpose,
    'deleted', p_copy.deleted_at is not null, 'purged', p_copy.purged_at is not null,
    'leased', coalesce(p_copy.lease_expires_at > clock_timestamp(), false),
    'young', greatest(p_copy.updated_at, p_copy.lease_expires_at) > clock_timestamp() - make_interval(secs => p_grace_seconds),
    'updated_at', p_copy.updated_at, 'size_bytes', p_file.size_bytes, 'sha256', p_file.sha256, 'name', p_file.original_name);
$$;

create function public.match_objects(p_provider text, p_account text, p_objects jsonb, p_grace_seconds double precision) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_answer jsonb;
begin
  with objects as materialized (
    select o.* from jsonb_to_recordset(public.json_argument(p_objects))
      as o (id text, sha256 text, namespace text, copy_id uuid, created_at timestamptz)
  ), matches as materialized (
    select o.id as object_id, c.id as copy_id
    from objects o join public.provider_file_uploads c
      on c.provider = p_provider and c.account = p_account and c.provider_file_id = o.id and c.purged_at is null
    union
    select o.id, c.id
    from objects o join public.files f on f.sha256 = o.sha256
    join public.provider_file_uploads c
      on c.file_id = f.id and c.namespace = o.namespace and c.provider = p_provider and c.account = p_account
    union
    select o.id, c.id
    from objects o join public.provider_file_uploads c on c.id = o.copy_id and c.provider = p_provider and c.account = p_account
  ), seen as (
    insert into public.object_sightings (copy_id, seen_at)
    select distinct c.id, v_now
    from matches m join public.provider_file_uploads c on c.id = m.copy_id
    where c.upload_status = 'completed' and c.purged_at is null and c.provider_file_id = m.object_id
    -- One order for all, so that two runs at once cannot deadlock.
    order by c.id
    on conflict (copy_id) do update set seen_at = greatest(object_sightings.seen_at, excluded.seen_at)
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', o.id,
    'young', coalesce(o.created_at > v_now - make_interval(secs => p_grace_seconds), false),
    'copies', (
      select coalesce(jsonb_agg(public.copy_facts(c, f, p_grace_seconds) order by c.updated_at desc, c.id), '[]')
      from matches m join public.provider_file_uploads c on c.id = m.copy_id join public.files f on f.id = c.file_id
      where m.object_id = o.id))), '[]')
  into v_answer from objects o;
  return v_answer;
end $$;
comment on function public.match_objects is
  'What the ledger knows of objects that a provider lists, by their id, their content or the copy that their name tells; and notes that they were seen.';

create function public.find_unseen_copies(
  p_provider text, p_account text, p_since timestamptz, p_grace_seconds double precision, p_after uuid default null, p_limit integer default 500
) returns jsonb
language sql volatile set search_path = '' as $$
  select coalesce(jsonb_agg(public.copy_facts(page.copy, page.file, p_grace_seconds) order by (page.copy).id), '[]')
  from (
    select c as copy, f as file
    from public.provider_file_uploads c join public.files f on f.id = c.file_id
    where c.provider = p_provider and c.account = p_account and (p_after is null or c.id > p_after)
      -- Also what is marked as deleted: until its purge begins, a claim takes it back.
      and c.upload_status = 'completed' and c.purged_at is null and c.purge_started_at is null
      and (c.expires_at is null or c.expires_at > clock_timestamp())
      and c.updated_at <= clock_timestamp() - make_interval(secs => p_grace_seconds)
      and not exists (select from public.object_sightings s where s.copy_id = c.id and s.seen_at >= p_since)
    order by c.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.find_unseen_copies is 'Copies that should be there and that no listing has shown since a time, by id; not those changed within the grace.';

create function public.list_stored_copies(p_provider text, p_account text, p_after uuid default null, p_limit integer default 1000) returns jsonb
language sql volatile set search_path = '' as $$
  select coalesce(jsonb_agg(public.copy_facts(page.copy, page.file, 0) order by (page.copy).id), '[]')
  from (
    select c as copy, f as file
    from public.provider_file_uploads c join public.files f on f.id = c.file_id
    where c.provider = p_provider and c.account = p_account and (p_after is null or c.id > p_after)
      and c.upload_status = 'completed' and c.deleted_at is null and c.namespace = 'live'
      and (c.expires_at is null or c.expires_at > clock_timestamp())
      -- An object that serves several purposes is one.
      and not exists (
        select from public.provider_file_uploads o
        where o.provider = c.provider and o.account = c.account and o.provider_file_id = c.provider_file_id and o.id < c.id
          and o.upload_status = 'completed' and o.deleted_at is null and o.purged_at is null and o.namespace = 'live'
          and (o.expires_at is null or o.expires_at > clock_timestamp()))
    order by c.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_stored_copies is 'What an account should hold for users: completed, undeleted, unexpired live copies with what their file is, by id; one for each object.';

create function public.record_reconcile_items(p_run_id text, p_items jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
  v_count integer;
begin
  insert into public.reconcile_items (run_id, provider, account, kind, object_id, copy_id, file_id, name, namespace, expected_bytes,
    found_bytes, expected_sha256, found_sha256, object_created_at, copy_updated_at)
  select p_run_id, i.provider, i.account, i.kind, i.object_id, i.copy_id, i.file_id, i.name, i.namespace, i.expected_bytes,
    i.found_bytes, i.expected_sha256, i.found_sha256, i.object_created_at, i.copy_updated_at
  from jsonb_to_recordset(public.json_argument(p_items)) as i (
    provider text, account text, kind text, object_id text, copy_id uuid, file_id uuid, name text, namespace text, expected_bytes bigint,
    found_bytes bigint, expected_sha256 text, found_sha256 text, object_created_at timestamptz, copy_updated_at timestamptz)
  on conflict do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.record_reconcile_items is 'Records what a reconciliation found; idempotent by run and object (or copy). The number of new ones.';

create function public.list_reconcile_items(
  p_run_id text, p_unsettled boolean default false, p_after bigint default null, p_limit integer default 1000
) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.position), '[]')
  from (
    select i.* from public.reconcile_items i
    where i.run_id = p_run_id and i.position > coalesce(p_after, 0)
      and (not p_unsettled or (i.action = 'none' and i.kind <> 'foreign'))
    order by i.position
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_reconcile_items is 'What a reconciliation found, in the order in which it was found; all, or what nothing was done about yet.';

create function public.count_reconcile_items(p_run_id text) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(counted)), '[]')
  from (select i.kind, i.action, count(*) as count from public.reconcile_items i where i.run_id = p_run_id group by i.kind, i.action order by 1, 2) counted;
$$;

create function public.settle_reconcile_item(p_run_id text, p_position bigint, p_action text, p_detail text) returns boolean
language plpgsql set search_path = '' as $$
begin
  update public.reconcile_items set action = p_action, detail = p_detail where run_id = p_run_id and position = p_position;
  return found;
end $$;

create function public.give_up_lost_copy(p_run_id text, p_position bigint) returns text
language plpgsql set search_path = '' as $$
declare
  v_item public.reconcile_items;
  v_copy public.provider_file_uploads;
begin
  select * into v_item from public.reconcile_items i where i.run_id = p_run_id and i.position = p_position;
  v_copy := public.lock_copy(v_item.copy_id);
  -- An attempt before this one did it.
  if v_copy.upload_status = 'failed' and v_copy.invalidation_code = 'gone' then
    return 'invalidated';
  end if;
  if v_copy.updated_at <> v_item.copy_updated_at or not public.invalidate_upload(v_copy.id, 'gone') then
    return 'changed';
  end if;
  return 'invalidated';
end $$;
comment on function public.give_up_lost_copy is 'A copy whose object is gone is not handed out any more: the next upload sends it again. `changed`: it is not as it was judged.';

create function public.condemn_object(p_run_id text, p_position bigint, p_owner text, p_lease_seconds double precision) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_item public.reconcile_items;
  v_file_id uuid;
  v_copy public.provider_file_uploads;
  v_now timestamptz;
begin
  select * into v_item from public.reconcile_items i where i.run_id = p_run_id and i.position = p_position for update;
  if not found or v_item.kind in ('lost', 'foreign') then
    raise exception 'the reconciliation % has no object at %', p_run_id, p_position using errcode = 'PT404', detail = 'item_not_found';
  end if;
  if v_item.copy_id is null then
    -- The row of the content is the lock that every upload of it takes. Its size stays open: what lies there may be no whole one.
    insert into public.files (sha256, original_name, metadata) values (v_item.expected_sha256, v_item.name, '{}')
    on conflict (sha256) where sha256 is not null do nothing;
    select f.id into strict v_file_id from public.files f where f.sha256 = v_item.expected_sha256 for no key update;
    if exists (
      select from public.provider_file_uploads c
      where c.file_id = v_file_id and c.provider = v_item.provider and c.account = v_item.account and c.namespace = v_item.namespace
    ) then
      return jsonb_build_object('outcome', 'left', 'why', 'changed');
    end if;
    if public.is_on_hold(v_file_id) then
      return jsonb_build_object('outcome', 'left', 'why', 'on_hold');
    end if;
    insert into public.provider_file_uploads (file_id, provider, account, purpose, namespace, upload_status, last_error_code)
    values (v_file_id, v_item.provider, v_item.account, 'storage', v_item.namespace, 'failed', 'reconciled')
    returning * into v_copy;
    update public.reconcile_items set copy_id = v_copy.id, file_id = v_file_id where run_id = p_run_id and position = p_position;
  else
    v_copy := public.lock_copy(v_item.copy_id);
    -- An attempt before this one began it, or had the object moved already.
    if v_copy.deletion_reason = 'reconcile ' || p_run_id and v_copy.purged_at is not null then
      return jsonb_build_object('outcome', 'done', 'copy_id', v_copy.id);
    end if;
    if not (v_copy.deletion_reason is not distinct from 'reconcile ' || p_run_id and v_copy.lease_owner is not distinct from p_owner) then
      if v_item.copy_updated_at is distinct from v_copy.updated_at then
        return jsonb_build_object('outcome', 'left', 'why', 'changed');
      end if;
      if public.is_on_hold(v_copy.file_id) then
        return jsonb_build_object('outcome', 'left', 'why', 'on_hold');
      end if;
    end if;
  end if;

  v_now := clock_timestamp();
  if exists (
    select from public.provider_file_uploads c
    where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
      and c.id <> v_copy.id and c.purged_at is null
      and ((c.lease_expires_at > v_now)
        or (c.upload_status = 'completed' and c.provider_file_id = v_item.object_id and v_item.kind not in ('other_size', 'other_hash')))
  ) then
    return jsonb_build_object('outcome', 'left', 'why', 'in_use');
  end if;
  -- One damaged object can serve several purposes: none of them is handed out any more.
  update public.provider_file_uploads c
  set upload_status = 'failed', last_error_code = 'verification_failed', invalidation_code = 'verification_failed'
  where c.file_id = v_copy.file_id and c.provider = v_copy.provider and c.account = v_copy.account and c.namespace = v_copy.namespace
    and c.id <> v_copy.id and c.upload_status = 'completed' and c.purged_at is null and c.provider_file_id = v_item.object_id;
  update public.provider_file_uploads set
    upload_status = 'failed', provider_file_id = v_item.object_id,
    last_error_code = case when v_item.kind in ('other_size', 'other_hash') then 'verification_failed' else 'reconciled' end,
    deleted_at = v_now, deletion_reason = 'reconcile ' || p_run_id, purged_at = null, purge_attempts = 0, needs_review = false,
    purge_started_at = case when p_owner is null then null else v_now end,
    lease_owner = p_owner, lease_expires_at = case when p_owner is null then null else public.lease_until(p_lease_seconds) end
  where id = v_copy.id;
  return jsonb_build_object('outcome', 'condemned', 'copy_id', v_copy.id);
end $$;
comment on function public.condemn_object is
  'Marks what stands on an object that disagrees as deleted. With an owner, the object is theirs to move until the lease ends, and uploads of the content wait, as for a purge; without one, retention purges it after its grace. left: changed, on_hold, in_use.';

create function public.release_object(p_copy_id uuid, p_owner text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_copy public.provider_file_uploads := public.lock_copy(p_copy_id);
begin
  if v_copy.lease_owner is distinct from p_owner or v_copy.purge_started_at is null or v_copy.purged_at is not null then
    return false;
  end if;
  update public.provider_file_uploads
  set deleted_at = null, deletion_reason = null, purge_started_at = null, lease_owner = null, lease_expires_at = null
  where id = p_copy_id;
  return true;
end $$;
comment on function public.release_object is
  'A condemned object could not be moved: its copy is a failed upload again, so that nothing purges what was to be kept.';

alter table public.object_sightings enable row level security;
alter table public.reconcile_items enable row level security;
revoke all on public.object_sightings, public.reconcile_items from anon, authenticated;
grant select, insert, update, delete on public.object_sightings, public.reconcile_items to service_role;
revoke execute on function public.ledger_time, public.copy_facts, public.match_objects, public.find_unseen_copies, public.list_stored_copies,
  public.record_reconcile_items, public.list_reconcile_items, public.count_reconcile_items, public.settle_reconcile_item,
  public.give_up_lost_copy, public.condemn_object, public.release_object from public, anon, authenticated;
grant execute on function public.ledger_time, public.copy_facts, public.match_objects, public.find_unseen_copies, public.list_stored_copies,
  public.record_reconcile_items, public.list_reconcile_items, public.count_reconcile_items, public.settle_reconcile_item,
  public.give_up_lost_copy, public.condemn_object, public.release_object to service_role;
