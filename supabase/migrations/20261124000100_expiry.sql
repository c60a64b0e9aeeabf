-- The end of an upload says when the provider itself will drop the object. A new argument is a new function; its default lets workers
-- of the version before go on, because arguments are given by name.

drop function public.record_upload(uuid, text, text, uuid, text, text, text, text, text, text[], text);

create function public.record_upload(
  p_copy_id uuid, p_owner text, p_provider_file_id text, p_file_id uuid, p_tool text, p_user_id text, p_name text, p_purpose text,
  p_context text, p_tags text[], p_keep text, p_expires_at timestamptz default null
) returns boolean
language plpgsql set search_path = '' as $$
begin
  if not public.complete_upload(p_copy_id, p_owner, p_provider_file_id, p_expires_at) then
    return false;
  end if;
  perform public.add_file_reference(p_file_id, p_tool, p_user_id, p_name, p_purpose, p_context, p_tags, p_keep);
  return true;
end $$;
comment on function public.record_upload is
  'The end of an upload in one transaction: the copy is there and somebody holds it. False, and nothing changed, when the claim was lost.';

revoke execute on function public.record_upload from public, anon, authenticated;
grant execute on function public.record_upload to service_role;
