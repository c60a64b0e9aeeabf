-- file_references: who holds a content, under which name of their own, and whether to keep it.

create table public.file_references (
  id uuid primary key default gen_random_uuid(),
  file_id uuid not null references public.files (id),
  tool text not null check (char_length(tool) between 1 and 100),
  user_id text check (char_length(user_id) between 1 and 500),
  name text not null check (char_length(name) between 1 and 4096),
  purpose text not null default 'storage' check (char_length(purpose) between 1 and 100),
  context text,
  tags text[] not null default '{}',
  keep text not null default 'keep' check (keep in ('keep', 'expire')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.file_references is 'Who holds a content. Deleting a reference never takes a file away from somebody else.';
comment on column public.file_references.user_id is 'The application''s own id of the user; text, because not every application has uuids.';
comment on column public.file_references.keep is 'keep: until deleted; expire: retention may take it.';

-- The same holder, tool and name for the same file is the same reference. A digest, because names outgrow an index row.
create unique index file_references_holder_key
  on public.file_references (file_id, tool, user_id, md5(name)) nulls not distinct;
create index file_references_user_idx on public.file_references (user_id) where user_id is not null;

create trigger file_references_updated_at before update on public.file_references
  for each row execute function public.set_updated_at();

alter table public.file_references enable row level security;
revoke all on public.file_references from anon, authenticated;
grant select on public.file_references to authenticated;
grant select, insert, update, delete on public.file_references to service_role;

-- The sub-select makes PostgreSQL ask once per statement instead of once per row.
create policy "A signed-in user reads their own references" on public.file_references
  for select to authenticated using (user_id = (select auth.uid())::text);
