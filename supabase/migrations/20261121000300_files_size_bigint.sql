-- An old size_bytes of integer ends at 2 GiB. Views that show the column have to be taken away while its type changes; they come
-- back with their definition, options, owner, comment and grants.

do $$
declare
  v_column smallint;
  v_view record;
  v_restore text[] := '{}';
  v_drop text[] := '{}';
  v_statement text;
begin
  select attnum into v_column from pg_attribute
  where attrelid = 'public.files'::regclass and attname = 'size_bytes' and atttypid <> 'bigint'::regtype;
  if found then
    for v_view in
      with recursive dependents (oid, depth) as (
        select r.ev_class, 1
        from pg_depend d join pg_rewrite r on r.oid = d.objid
        where d.classid = 'pg_rewrite'::regclass and d.refobjid = 'public.files'::regclass and d.refobjsubid = v_column
        union
        select r.ev_class, x.depth + 1
        from dependents x
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = x.oid
        join pg_rewrite r on r.oid = d.objid and r.ev_class <> x.oid
      )
      select c.oid, c.oid::regclass::text as name, c.relkind, c.relacl, pg_get_viewdef(c.oid) as definition, max(x.depth) as depth,
        coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') as options,
        pg_get_userbyid(c.relowner) as owner, obj_description(c.oid, 'pg_class') as comment,
        exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) as has_triggers
      from dependents x join pg_class c on c.oid = x.oid
      group by c.oid order by max(x.depth)
    loop
      if v_view.relkind <> 'v' or v_view.has_triggers then
        raise exception '% uses public.files.size_bytes, whose type has to become bigint, and cannot be rebuilt safely', v_view.name
          using hint = 'Drop it (keep its definition), apply the migrations again, and create it anew.';
      end if;
      v_drop := format('drop view %s', v_view.name) || v_drop;
      v_restore := v_restore || format('create view %s%s as %s', v_view.name, v_view.options, v_view.definition)
        || format('alter view %s owner to %I', v_view.name, v_view.owner);
      if v_view.comment is not null then
        v_restore := v_restore || format('comment on view %s is %L', v_view.name, v_view.comment);
      end if;
      if v_view.relacl is not null then
        -- Default privileges of the project may give more than the view had.
        v_restore := v_restore || format('revoke all on %s from public, anon, authenticated, service_role', v_view.name)
          || array(
            select format('grant %s on %s to %s%s', a.privilege_type, v_view.name,
              case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
              case when a.is_grantable then ' with grant option' else '' end)
            from aclexplode(v_view.relacl) a where a.grantee <> a.grantor);
      end if;
    end loop;
    foreach v_statement in array v_drop loop
      execute v_statement;
    end loop;
    alter table public.files alter column size_bytes type bigint;
    foreach v_statement in array v_restore loop
      execute v_statement;
    end loop;
  end if;
end $$;

alter table public.files add constraint files_cutover_size_check check (size_bytes >= 0) not valid;
