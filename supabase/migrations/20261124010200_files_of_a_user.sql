-- The files of one user, as an application lists them: by reference, because two users can hold the same content.

create function public.list_user_files(p_user_id text, p_after uuid default null, p_limit integer default 100) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.reference_id), '[]')
  from (
    select r.id as reference_id, r.file_id, r.name, f.size_bytes, f.mime_type, f.sha256
    from public.file_references r
    join public.files f on f.id = r.file_id
    where r.user_id is not distinct from p_user_id and (p_after is null or r.id > p_after)
      and exists (
        select from public.provider_file_uploads c
        where c.file_id = r.file_id and c.namespace = 'live' and c.upload_status = 'completed' and c.deleted_at is null
      )
    order by r.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_user_files is 'What a user holds, one row for each reference, by its id; nobody''s where the user is null.';

revoke execute on function public.list_user_files from public, anon, authenticated;
grant execute on function public.list_user_files to service_role;
