import postgres from 'postgres';
import { messageOf } from '../domain/errors.ts';
import { ledgerMigrationsFolder } from './ledger-migrations.ts';
import { applyMigrations } from './lite/migrations.ts';

/**
 * `node src/stack/migrate-ledger.ts` brings the ledger of a PostgreSQL up to date, which PGHOST, PGUSER, PGPASSWORD and PGDATABASE name, and
 * records it where `supabase db push` does. For where that program is not at hand: an image, a job before the workers start.
 */
const sql = postgres({ max: 1, connect_timeout: 30, onnotice: () => {} });
try {
  const applied = await applyMigrations(sql, ledgerMigrationsFolder());
  console.log(applied.length === 0 ? 'The ledger is up to date.' : `Applied ${applied.length} migrations, up to ${applied.at(-1)}.`);
} catch (error) {
  console.error(`error: The ledger was not brought up to date: ${messageOf(error)}`);
  process.exitCode = 1;
} finally {
  await sql.end({ timeout: 5 });
}
