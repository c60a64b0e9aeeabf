-- Ids that unified hands out are its own. A row that an application wrote before us is somebody's: were its id given to whoever uploads
-- the same bytes next, one user's deletion could reach another user's old file.

create function public.own_content(p_sha256 text) returns void
language plpgsql set search_path = '' as $$
declare
  v_old public.files;
  v_id uuid;
begin
  select * into v_old from public.files f where f.sha256 = p_sha256 for no key update;
  -- Where copies stand on it already, its id has been given out.
  if not found or v_old.storage_path is null or exists (
    select from public.provider_file_uploads c
    where c.file_id = v_old.id and (c.completed_at is not null or c.lease_expires_at > clock_timestamp())
  ) then
    return;
  end if;
  update public.files set sha256 = null where id = v_old.id;
  insert into public.files (sha256, size_bytes, mime_type, original_name, metadata)
  values (p_sha256, v_old.size_bytes, v_old.mime_type, v_old.original_name, '{}')
  returning id into v_id;
  update public.files set duplicate_of = v_id where id = v_old.id or duplicate_of = v_old.id;
  update public.file_references set file_id = v_id where file_id = v_old.id;
  update public.provider_file_uploads set file_id = v_id where file_id = v_old.id;
end $$;
comment on function public.own_content is
  'A content for which only a row of the application stands gets a row of its own, to which that one points from then on.';

alter function public.claim_upload rename to claim_content;
create function public.claim_upload(
  p_sha256 text, p_size_bytes bigint, p_mime_type text, p_original_name text,
  p_provider text, p_account text, p_purpose text, p_namespace text,
  p_owner text, p_idempotency_key text, p_lease_seconds double precision
) returns jsonb
language plpgsql set search_path = '' as $$
begin
  perform public.own_content(p_sha256);
  return public.claim_content(p_sha256, p_size_bytes, p_mime_type, p_original_name, p_provider, p_account, p_purpose, p_namespace,
    p_owner, p_idempotency_key, p_lease_seconds);
end $$;
comment on function public.claim_upload is
  'Decides who sends a content to a provider: completed (nobody), claimed (the caller), busy (somebody else). PT409 size_mismatch.';
revoke execute on function public.own_content, public.claim_upload, public.claim_content from public, anon, authenticated;
grant execute on function public.own_content, public.claim_upload, public.claim_content to service_role;

-- A user's own files, by an index: `is not distinct from` has none.
create index file_references_holder_idx on public.file_references (user_id, id) where legacy_id is null;
create or replace function public.list_user_files(p_user_id text, p_after uuid default null, p_limit integer default 100) returns jsonb
language sql stable set search_path = '' as $$
  with held as (
    (
      select r.* from public.file_references r
      where r.user_id = p_user_id and r.legacy_id is null and r.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
        and exists (
          select from public.provider_file_uploads c
          where c.file_id = r.file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null)
      order by r.id
      limit least(greatest(p_limit, 1), 10000)
    )
    union all
    (
      select r.* from public.file_references r
      where p_user_id is null and r.user_id is null and r.legacy_id is null
        and r.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
        and exists (
          select from public.provider_file_uploads c
          where c.file_id = r.file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null)
      order by r.id
      limit least(greatest(p_limit, 1), 10000)
    )
  )
  select coalesce(jsonb_agg(jsonb_build_object('reference_id', held.id, 'file_id', held.file_id, 'name', held.name,
    'size_bytes', f.size_bytes, 'mime_type', f.mime_type, 'sha256', f.sha256) order by held.id), '[]')
  from held join public.files f on f.id = held.file_id;
$$;
comment on function public.list_user_files is
  'What a user holds, one row for each reference, by its id; nobody''s where the user is null. Not what mirrors hold of legacy''s uploads.';
