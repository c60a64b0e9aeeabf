-- What the sweep looks at, page by page: after the last key of the page before, in the order of the key.

create function public.find_expired_files(p_retention_days double precision, p_after uuid default null, p_limit integer default 500)
returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.file_id), '[]')
  from (
    select f.id as file_id, f.sha256, f.size_bytes, f.original_name, coalesce(f.accessed_at, f.created_at) as last_access_at
    from public.files f
    where (p_after is null or f.id > p_after)
      and coalesce(f.accessed_at, f.created_at) < clock_timestamp() - make_interval(secs => p_retention_days * 86400)
      and exists (
        select from public.provider_file_uploads c
        where c.file_id = f.id and c.upload_status = 'completed' and c.deleted_at is null)
      and not exists (
        select from public.provider_file_uploads c
        where c.file_id = f.id and c.upload_status in ('pending', 'uploading') and c.lease_expires_at > clock_timestamp())
      and not public.is_kept(f.id) and not public.is_on_hold(f.id)
    order by f.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.find_expired_files is
  'Files that nobody keeps and nobody has read for so many days. Not those on hold or being uploaded. Keyed by file_id.';

create function public.find_orphaned_files(p_older_than_days double precision, p_after uuid default null, p_limit integer default 500)
returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.copy_id), '[]')
  from (
    select c.id as copy_id, c.file_id, c.provider, c.account, c.purpose, c.namespace, c.provider_file_id, c.attempts,
      case when c.upload_status = 'failed' then c.last_error_code else 'lease_expired' end as last_error_code,
      coalesce(c.lease_expires_at, c.updated_at) as failed_at
    from public.provider_file_uploads c
    where (p_after is null or c.id > p_after)
      and c.deleted_at is null
      and c.upload_status <> 'completed'
      -- An upload fails when it says so or when its lease runs out.
      and coalesce(c.lease_expires_at, c.updated_at) < clock_timestamp() - make_interval(secs => p_older_than_days * 86400)
      and not public.is_on_hold(c.file_id)
    order by c.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.find_orphaned_files is
  'Copies whose upload failed so many days ago, and which may have left an object. Keyed by copy_id; delete with soft_delete_copy.';

revoke execute on function public.find_expired_files, public.find_orphaned_files from public, anon, authenticated;
grant execute on function public.find_expired_files, public.find_orphaned_files to service_role;
