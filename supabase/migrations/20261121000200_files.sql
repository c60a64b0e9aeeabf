-- files: one row per distinct content. An application's own table of that name is taken over as it is, rows and ids included.

do $$
begin
  if to_regclass('public.files') is null then
    create table public.files (id uuid primary key default gen_random_uuid());
    -- Hosted projects grant new tables to everybody. On a table that was there before, the application's own grants stay.
    revoke all on public.files from anon, authenticated;
  elsif (select relkind from pg_class where oid = 'public.files'::regclass) <> 'r' then
    raise exception 'public.files is there already and is not a plain table'
      using hint = 'Rename it (alter … rename to …) and apply the migrations again: Cutover needs a table of that name.';
  elsif not (select relrowsecurity from pg_class where oid = 'public.files'::regclass) then
    raise warning 'public.files had no row level security and has it now: clients with the publishable key see no row until a policy lets them';
  end if;
end $$;

alter table public.files
  add column if not exists storage_path text,
  add column if not exists original_name text,
  add column if not exists mime_type text,
  add column if not exists size_bytes bigint,
  add column if not exists file_type text,
  add column if not exists created_at timestamptz default now(),
  add column if not exists sha256 text,
  add column if not exists duplicate_of uuid,
  add column if not exists provider text,
  add column if not exists provider_file_id text,
  add column if not exists accessed_at timestamptz,
  add column if not exists updated_at timestamptz,
  add column if not exists metadata jsonb default '{}'::jsonb;

-- A column that was there before may be of a type that cannot hold what we write.
do $$
declare
  v_column record;
begin
  for v_column in
    select a.attname as name, format_type(a.atttypid, null) as is_type, e.types
    from (values
      ('id', array['uuid']),
      ('storage_path', array['text', 'character varying']),
      ('original_name', array['text', 'character varying']),
      ('mime_type', array['text', 'character varying']),
      ('size_bytes', array['bigint', 'integer', 'smallint']),
      ('created_at', array['timestamp with time zone', 'timestamp without time zone']),
      ('sha256', array['text', 'character varying']),
      ('duplicate_of', array['uuid']),
      ('provider', array['text', 'character varying']),
      ('provider_file_id', array['text', 'character varying']),
      ('accessed_at', array['timestamp with time zone', 'timestamp without time zone']),
      ('updated_at', array['timestamp with time zone', 'timestamp without time zone']),
      ('metadata', array['jsonb'])) as e (name, types)
    join pg_attribute a on a.attrelid = 'public.files'::regclass and a.attname = e.name
  loop
    if not v_column.is_type = any (v_column.types) then
      raise exception 'public.files.% is of type %, and Cutover needs %', v_column.name, v_column.is_type, v_column.types[1]
        using hint = format('Rename the column (alter table public.files rename column %1$s to old_%1$s) or change its type, and apply the migrations again.', v_column.name);
    end if;
  end loop;
end $$;

alter table public.files alter column id set not null;
alter table public.files alter column id set default gen_random_uuid();
alter table public.files alter column accessed_at set default now();
alter table public.files alter column updated_at set default now();

do $$
declare
  v_name text;
begin
  -- References need a unique id; an old table may lack the constraint.
  if not exists (
    select from pg_index
    where indrelid = 'public.files'::regclass and indisunique and indpred is null and indnkeyatts = 1
      and indkey[0] = (select attnum from pg_attribute where attrelid = 'public.files'::regclass and attname = 'id')
  ) then
    alter table public.files add constraint files_cutover_id_key unique (id);
  end if;
  -- The old application filled every column of its own; we cannot, and only know what a content is.
  for v_name in
    select a.attname
    from pg_attribute a
    where a.attrelid = 'public.files'::regclass and a.attnum > 0 and not a.attisdropped
      and a.attnotnull and not a.atthasdef and a.attidentity = ''
      and not exists (select from pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey))
  loop
    raise notice 'public.files.% may be null from now on: rows that Cutover adds have no value for it', v_name;
    execute format('alter table public.files alter column %I drop not null', v_name);
  end loop;
end $$;

-- `not valid`: what is there is left alone, what comes is checked.
alter table public.files
  add constraint files_cutover_sha256_check check (sha256 ~ '^[0-9a-f]{64}$') not valid,
  add constraint files_cutover_duplicate_check check (duplicate_of is null or (sha256 is null and duplicate_of <> id)) not valid,
  add constraint files_cutover_duplicate_of_fkey foreign key (duplicate_of) references public.files (id);

create unique index files_cutover_sha256_key on public.files (sha256) where sha256 is not null;
create index files_cutover_duplicate_of_idx on public.files (duplicate_of) where duplicate_of is not null;
create index files_cutover_metadata_idx on public.files using gin (metadata);
create index files_cutover_last_access_idx on public.files (accessed_at);

create trigger files_cutover_updated_at before update on public.files
  for each row execute function public.set_updated_at();

alter table public.files enable row level security;
grant select, insert, update, delete on public.files to service_role;

comment on table public.files is 'One row per distinct content, and one per row that was here before and is not hashed yet.';
comment on column public.files.sha256 is 'Lower-case hex; null until known, and for duplicates.';
comment on column public.files.duplicate_of is 'The row that stands for this content; set when a row turned out to hold the same bytes as an earlier one.';
comment on column public.files.provider is 'For readers of the old table; the truth about copies is provider_file_uploads.';
