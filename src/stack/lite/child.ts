import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { App, setExperimental } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import type { Kysely } from 'kysely';
import postgres from 'postgres';
import { messageOf } from '../../domain/errors.ts';
import { normalizeDatabaseError } from './database-errors.ts';
import { FOLDER_INDEX } from './list-folder.ts';
import { applyMigrations, MigrationError } from './migrations.ts';
import { removeLeftovers } from './object-file.ts';
import { ObjectStore } from './object-store.ts';
import { ensureRoles } from './roles.ts';
import { type LiteMessage, LiteSettings } from './service.ts';
import { storageGateway } from './storage-gateway.ts';

/** The process of Supabase Lite: gets its settings over IPC, says when it serves, and ends with its parent. */

const GIBIBYTE = 1024 ** 3;
/** As on a hosted project at its largest; a bucket can have a lower limit. */
const MAX_UPLOAD_GIB = 50;
const CLOSE_WITHIN_MS = 5000;

const tell = (message: LiteMessage): Promise<void> =>
  new Promise((resolve) => (process.send === undefined ? resolve() : process.send(message, () => resolve())));

process.once('message', (message) => {
  start(LiteSettings.parse(message)).catch(async (error: unknown) => {
    console.error(error);
    if (error instanceof MigrationError) await tell({ type: 'failed', code: 'migration_failed', message: error.message });
    process.exit(1);
  });
});
process.once('disconnect', () => process.exit());

async function start(settings: LiteSettings): Promise<void> {
  mkdirSync(settings.objects, { recursive: true, mode: 0o700 });
  const [left, sql] = await Promise.all([removeLeftovers(settings.objects), connected(settings.postgresUrl)]);
  if (left > 0) console.log(`removed ${left} interrupted uploads`);
  await ensureRoles(sql, new URL(settings.postgresUrl).password);

  const connection = createPostgresConnection({
    url: settings.postgresUrl,
    postgresOptions: { onnotice: () => {}, max: 20, connect_timeout: 5 },
  });
  connection.normalizeDbError = (error: unknown) => normalizeDatabaseError(error, settings.databaseFolder);
  setExperimental('storage', true);
  const app = new App({
    connection,
    api: { max_rows: 1000 },
    auth: { enabled: true, jwt_secret: settings.jwtSecret, publishable_key: settings.publishableKey, secret_key: settings.secretKey },
    storage: { enabled: true, file_size_limit: `${MAX_UPLOAD_GIB}GiB` },
    studio: { enabled: false },
    options: { server: { admin: false, disableStudio: true } },
  });
  app._storageAdapter = new ObjectStore(settings.objects) as never;
  await app.init();
  await app.ensureSystemSchema();
  await sql.unsafe(FOLDER_INDEX);
  const migrated = await applyMigrations(sql, settings.migrations);
  // Fault of 0.10.0: done lazily, the first requests at once collide over its GRANTs ("tuple concurrently updated").
  await (connection as unknown as { ensureRlsContext(): Promise<boolean> }).ensureRlsContext();
  // As PostgREST does on NOTIFY pgrst, 'reload schema'.
  await sql.listen('pgrst', () => void connection.clearSchemaCache());

  const handle = storageGateway({
    lite: async (request) => app.fetch(request, { peerAddress: null }),
    database: connection.kysely as Kysely<unknown>,
    secretKey: settings.secretKey,
    maxUploadBytes: MAX_UPLOAD_GIB * GIBIBYTE,
  });
  const server = serve(
    {
      hostname: '127.0.0.1',
      port: settings.port,
      fetch: (request) => handle(request),
      // A large upload on a slow line takes as long as it takes.
      serverOptions: { requestTimeout: 0, keepAliveTimeout: 30_000 },
    },
    () => void tell({ type: 'ready', migrated }),
  );
  server.once('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  const stop = (): void => {
    server.close(() => process.exit());
    setTimeout(() => process.exit(), CLOSE_WITHIN_MS).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

/** A connection to the database, as soon as it takes one: PostgreSQL is started at the same time as we are. */
async function connected(url: string): Promise<postgres.Sql> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 5, connection: { application_name: 'cutover' } });
  for (let last = ''; ; await delay(50)) {
    try {
      await sql`select 1`;
      return sql;
    } catch (error) {
      if (messageOf(error) !== last) console.log(`waiting for PostgreSQL: ${messageOf(error)}`);
      last = messageOf(error);
    }
  }
}
