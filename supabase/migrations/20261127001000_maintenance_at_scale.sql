-- What a backfill counts is what the ledger has on record of it, so that a batch that was killed and done again counts everything once;
-- a page of a listing is put together in one go instead of by a search through it for each of its objects;
-- and the ledger says which migrations it has, so that nobody runs a new version over an old ledger unwarned.

create function public.count_backfill_items(p_run_id text, p_after uuid default null, p_until uuid default null) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(counted)), '[]')
  from (
    select i.outcome, case when i.outcome = 'unreadable' then i.error_code end as error_code, count(*) as files,
      coalesce(sum(i.size_bytes) filter (where i.sha256 is not null), 0)::bigint as bytes
    from public.backfill_items i
    where i.run_id = p_run_id and (p_after is null or i.file_id > p_after) and (p_until is null or i.file_id <= p_until)
    group by 1, 2 order by 1, 2
  ) counted;
$$;
comment on function public.count_backfill_items is
  'How many files of a run of the hash backfill became what, and their bytes where they were read: those behind an id, up to another.';

create or replace function public.match_objects(p_provider text, p_account text, p_objects jsonb, p_grace_seconds double precision) returns jsonb
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
  ), facts as (
    select m.object_id, jsonb_agg(public.copy_facts(c, f, p_grace_seconds) order by c.updated_at desc, c.id) as copies
    from matches m join public.provider_file_uploads c on c.id = m.copy_id join public.files f on f.id = c.file_id
    group by m.object_id
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', o.id,
    'young', coalesce(o.created_at > v_now - make_interval(secs => p_grace_seconds), false),
    'copies', coalesce(facts.copies, '[]'))), '[]')
  into v_answer from objects o left join facts on facts.object_id = o.id;
  return v_answer;
end $$;

create function public.ledger_migrations() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_versions jsonb;
begin
  if to_regclass('supabase_migrations.schema_migrations') is null then
    return null;
  end if;
  execute 'select jsonb_agg(m.version order by m.version) from supabase_migrations.schema_migrations m' into v_versions;
  return v_versions;
exception when insufficient_privilege then
  return null;
end $$;
comment on function public.ledger_migrations is
  'Versions of the migrations that `supabase db push` (or Cutover) has recorded: what a new version of Cutover compares with its own. Null without a record.';

revoke execute on function public.count_backfill_items, public.ledger_migrations from public, anon, authenticated;
grant execute on function public.count_backfill_items, public.ledger_migrations to service_role;
