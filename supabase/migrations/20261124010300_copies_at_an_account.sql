-- All that stands on the objects of an account: who removes objects there must tell the ledger of every row that a claim could hand out.

create function public.list_copies_at(p_provider text, p_account text, p_after uuid default null, p_limit integer default 1000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(page) order by page.id), '[]')
  from (
    select c.* from public.provider_file_uploads c
    where c.provider = p_provider and c.account = p_account and c.purged_at is null and c.upload_status = 'completed'
      and (p_after is null or c.id > p_after)
    order by c.id
    limit least(greatest(p_limit, 1), 10000)
  ) page;
$$;
comment on function public.list_copies_at is
  'The completed copies at an account, by id: also shadow copies, and deleted ones until they are purged, which a claim takes back.';

revoke execute on function public.list_copies_at from public, anon, authenticated;
grant execute on function public.list_copies_at to service_role;
