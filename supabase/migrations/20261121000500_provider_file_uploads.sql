-- provider_file_uploads: one row per copy of a content at a provider.

create table public.provider_file_uploads (
  id uuid primary key default gen_random_uuid(),
  file_id uuid not null references public.files (id),
  provider text not null check (char_length(provider) between 1 and 100),
  account text not null check (char_length(account) between 1 and 200),
  purpose text not null check (char_length(purpose) between 1 and 100),
  namespace text not null default 'live' check (namespace in ('live', 'shadow')),
  upload_status text not null default 'pending' check (upload_status in ('pending', 'uploading', 'completed', 'failed')),
  provider_file_id text check (char_length(provider_file_id) > 0),
  attempts integer not null default 0 check (attempts >= 0),
  last_error_code text,
  invalidation_code text,
  idempotency_key text,
  lease_owner text,
  lease_expires_at timestamptz,
  completed_at timestamptz,
  expires_at timestamptz,
  deleted_at timestamptz,
  deletion_reason text,
  legal_hold boolean not null default false,
  purge_started_at timestamptz,
  purge_attempts integer not null default 0 check (purge_attempts >= 0),
  purged_at timestamptz,
  needs_review boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((lease_owner is null) = (lease_expires_at is null)),
  check (upload_status <> 'uploading' or lease_owner is not null),
  check (upload_status <> 'completed' or provider_file_id is not null),
  check (deleted_at is null or upload_status in ('completed', 'failed')),
  check ((deleted_at is null) = (deletion_reason is null)),
  check (purge_started_at is null or deleted_at is not null),
  check (purged_at is null or deleted_at is not null)
);
comment on table public.provider_file_uploads is 'One row per copy of a content at a provider: the truth about what exists where.';
comment on column public.provider_file_uploads.attempts is 'Claims of this copy so far: above 1, an earlier attempt may have left an object behind.';
comment on column public.provider_file_uploads.invalidation_code is
  'Why the object that is there now must not be trusted; outlives failed attempts, until a copy is completed again.';
comment on column public.provider_file_uploads.lease_expires_at is 'Until when the owner alone may send (or, once purge_started_at is set, delete) the object.';
comment on column public.provider_file_uploads.expires_at is 'When the provider itself will drop the object; null when it keeps it.';
comment on column public.provider_file_uploads.needs_review is 'Deleting the object at the provider failed again and again: a person should look.';

-- The database decides who wins: one live copy of a content for each place, and no more.
create unique index provider_file_uploads_live_key
  on public.provider_file_uploads (file_id, provider, account, purpose, namespace)
  where deleted_at is null and upload_status <> 'failed';
create index provider_file_uploads_file_idx on public.provider_file_uploads (file_id);
create index provider_file_uploads_object_idx on public.provider_file_uploads (provider, account, provider_file_id)
  where purged_at is null;
-- For the sweep: what failed, whose lease ran out, what waits to be purged, what the provider drops.
create index provider_file_uploads_failed_idx on public.provider_file_uploads (id) where upload_status = 'failed' and deleted_at is null;
create index provider_file_uploads_lease_idx on public.provider_file_uploads (lease_expires_at) where lease_expires_at is not null;
create index provider_file_uploads_purge_idx on public.provider_file_uploads (deleted_at) where deleted_at is not null and purged_at is null;
create index provider_file_uploads_expiry_idx on public.provider_file_uploads (expires_at) where expires_at is not null and purged_at is null;

create trigger provider_file_uploads_updated_at before update on public.provider_file_uploads
  for each row execute function public.set_updated_at();

create function public.refuse_silent_regression() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'copy % is completed: it cannot become % without a last_error_code that says why', old.id, new.upload_status
    using errcode = 'PT409', detail = 'completed_copy';
end $$;
revoke execute on function public.refuse_silent_regression() from public, anon, authenticated;

create trigger provider_file_uploads_no_silent_regression before update on public.provider_file_uploads
  for each row when (old.upload_status = 'completed' and new.upload_status <> 'completed' and new.last_error_code is null)
  execute function public.refuse_silent_regression();

alter table public.provider_file_uploads enable row level security;
revoke all on public.provider_file_uploads from anon, authenticated;
grant select, insert, update, delete on public.provider_file_uploads to service_role;
