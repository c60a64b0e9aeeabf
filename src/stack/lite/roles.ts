import type postgres from 'postgres';

/** The roles that a hosted project has: `authenticator` is who a PostgREST logs in as. @param password for authenticator */
export async function ensureRoles(sql: postgres.Sql, password: string): Promise<void> {
  const quoted = `'${password.replaceAll("'", "''")}'`;
  await sql.unsafe(`
    do $$ begin
      if to_regrole('anon') is null then create role anon nologin; end if;
      if to_regrole('authenticated') is null then create role authenticated nologin; end if;
      if to_regrole('service_role') is null then create role service_role nologin bypassrls; end if;
      if to_regrole('authenticator') is null then create role authenticator login noinherit; end if;
    end $$;
    alter role authenticator password ${quoted};
    grant anon, authenticated, service_role to authenticator;
    grant usage on schema public to anon, authenticated, service_role;`);
}
