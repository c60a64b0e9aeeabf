-- The hash backfill: files recorded without a hash, and what became of each in a run.

create index files_cutover_unhashed_idx on public.files (id) where sha256 is null and duplicate_of is null;

create table public.backfill_items (
  run_id text not null check (char_length(run_id) between 1 and 200),
  file_id uuid not null,
  outcome text not null check (outcome in ('hashed', 'already_hashed', 'duplicate', 'unreadable')),
  storage_path text,
  name text,
  size_bytes bigint,
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  duplicate_of uuid,
  error_code text,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (run_id, file_id)
);
comment on table public.backfill_items is 'What became of each file in a run of the hash backfill, also of a dry one. A record: it outlives the files it tells of.';
comment on column public.backfill_items.duplicate_of is 'The file that stands for the same content; in a dry run, the one that would.';
create index backfill_items_content_idx on public.backfill_items (run_id, sha256) where sha256 is not null;

create trigger backfill_items_updated_at before update on public.backfill_items
  for each row execute function public.set_updated_at();

create function public.find_unhashed_files(p_after uuid default null, p_limit integer default 100) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(public.file_json(f) order by f.id), '[]')
  from (
    select f.* from public.files f
    where f.sha256 is null and f.duplicate_of is null and (p_after is null or f.id > p_after)
    order by f.id
    limit least(greatest(p_limit, 1), 1000)
  ) f;
$$;
comment on function public.find_unhashed_files is 'Files without a hash that are not known to be duplicates, by id.';

create function public.count_hashes() returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'hashed', count(*) filter (where f.sha256 is not null), 'unhashed', count(*) filter (where f.sha256 is null and f.duplicate_of is null),
    'duplicates', count(*) filter (where f.duplicate_of is not null))
  from public.files f;
$$;
comment on function public.count_hashes is 'How many files have a hash, have none, or are known to be duplicates.';

create function public.record_backfill_items(p_run_id text, p_dry_run boolean, p_items jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_item record;
  v_answer jsonb;
  v_outcome text;
  v_first uuid;
  v_error_code text;
  v_error text;
  v_outcomes jsonb := '[]';
begin
  for v_item in
    select i.* from jsonb_to_recordset(public.json_argument(p_items)) as i (
      file_id uuid, storage_path text, name text, size_bytes bigint, sha256 text, error_code text, error text)
    order by i.file_id
  loop
    v_outcome := null;
    v_first := null;
    v_error_code := v_item.error_code;
    v_error := v_item.error;
    -- A batch that is sent again answers what it answered before.
    select b.outcome, b.duplicate_of, b.error_code into v_outcome, v_first, v_error_code
    from public.backfill_items b where b.run_id = p_run_id and b.file_id = v_item.file_id and b.sha256 is not distinct from v_item.sha256;
    if v_outcome is null then
      v_error_code := v_item.error_code;
      if v_item.sha256 is null then
        v_outcome := 'unreadable';
      elsif p_dry_run then
        select f.id into v_first from public.files f where f.sha256 = v_item.sha256 and f.id <> v_item.file_id;
        if v_first is null then
          select b.file_id into v_first from public.backfill_items b
          where b.run_id = p_run_id and b.sha256 = v_item.sha256 and b.outcome = 'hashed' and b.file_id <> v_item.file_id
          order by b.created_at, b.file_id limit 1;
        end if;
        v_outcome := case when v_first is null then 'hashed' else 'duplicate' end;
      else
        select case when f.sha256 is not null or f.duplicate_of is not null then 'already_hashed' end into v_outcome
        from public.files f where f.id = v_item.file_id;
        begin
          v_answer := public.record_file_hash(v_item.file_id, v_item.sha256, v_item.size_bytes);
          if v_outcome is null then
            v_outcome := case when (v_answer ->> 'duplicate')::boolean then 'duplicate' else 'hashed' end;
          end if;
          if v_outcome = 'duplicate' then
            v_first := (v_answer ->> 'file_id')::uuid;
          end if;
        exception when sqlstate 'PT404' or sqlstate 'PT409' then
          -- Deleted meanwhile, or recorded meanwhile with another hash: one file is no reason to stop.
          v_outcome := 'unreadable';
          get stacked diagnostics v_error_code = pg_exception_detail, v_error = message_text;
        end;
      end if;
      insert into public.backfill_items (run_id, file_id, outcome, storage_path, name, size_bytes, sha256, duplicate_of, error_code, error)
      values (p_run_id, v_item.file_id, v_outcome, v_item.storage_path, v_item.name, v_item.size_bytes, v_item.sha256, v_first, v_error_code,
        v_error)
      on conflict (run_id, file_id) do update set
        outcome = excluded.outcome, size_bytes = excluded.size_bytes, sha256 = excluded.sha256, duplicate_of = excluded.duplicate_of,
        error_code = excluded.error_code, error = excluded.error;
    end if;
    v_outcomes := v_outcomes || jsonb_build_array(jsonb_build_object(
      'file_id', v_item.file_id, 'outcome', v_outcome, 'duplicate_of', v_first, 'error_code', v_error_code));
  end loop;
  return v_outcomes;
end $$;
comment on function public.record_backfill_items is
  'Records the hashes of files that had none, by record_file_hash, and what became of each; a dry run only says what would. Idempotent by run and file.';

create function public.list_backfill_items(p_run_id text, p_after uuid default null, p_limit integer default 1000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.file_id), '[]')
  from (
    select i.* from public.backfill_items i
    where i.run_id = p_run_id and (p_after is null or i.file_id > p_after)
    order by i.file_id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_backfill_items is 'What became of the files in a run of the hash backfill, by their id.';

alter table public.backfill_items enable row level security;
revoke all on public.backfill_items from anon, authenticated;
grant select, insert, update, delete on public.backfill_items to service_role;
revoke execute on function public.find_unhashed_files, public.count_hashes, public.record_backfill_items, public.list_backfill_items
  from public, anon, authenticated;
grant execute on function public.find_unhashed_files, public.count_hashes, public.record_backfill_items, public.list_backfill_items
  to service_role;
