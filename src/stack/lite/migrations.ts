import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { messageOf } from '../../domain/errors.ts';
import { migrationsIn } from '../ledger-migrations.ts';

/** Any fixed number: two starts on one database apply one after the other. */
const LOCK = 6_228_837;

/** A migration was refused; nothing of it was kept. The message names the file, the line and what the database said. */
export class MigrationError extends Error {}

/**
 * Applies the migrations that the database does not have, in the order of their names, each with its record in one transaction, and
 * records them where `supabase db push` does. Lite's own way sends the statements of one transaction over several connections.
 * @returns the names of the files that were applied
 */
export async function applyMigrations(sql: postgres.Sql, folder: string): Promise<string[]> {
  // Under the lock: "if not exists" alone fails where two begin at once.
  await sql.begin(async (transaction) => {
    await transaction`select pg_advisory_xact_lock(${LOCK})`;
    await transaction.unsafe(`
      create schema if not exists supabase_migrations;
      create table if not exists supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);`);
  });
  const applied: string[] = [];
  for (const { file, version, name } of migrationsIn(folder)) {
    const text = readFileSync(join(folder, file), 'utf8');
    const fresh = await sql
      .begin(async (transaction) => {
        await transaction`select pg_advisory_xact_lock(${LOCK})`;
        const known = await transaction`select 1 from supabase_migrations.schema_migrations where version = ${version}`;
        if (known.length > 0) return false;
        await transaction.unsafe(text);
        await transaction`insert into supabase_migrations.schema_migrations (version, name, statements) values (${version}, ${name}, ${[text]})`;
        return true;
      })
      .catch((error: unknown) => {
        throw error instanceof postgres.PostgresError && !/^(08|57P|53)/.test(error.code)
          ? new MigrationError(describe(file, text, error))
          : error;
      });
    if (fresh) applied.push(file);
  }
  return applied;
}

function describe(file: string, text: string, error: postgres.PostgresError): string {
  const line = error.position === undefined ? '' : `, line ${text.slice(0, Number(error.position)).split('\n').length}`;
  const more = [error.detail, error.hint].filter((part) => part !== undefined).map((part) => `\n    ${part}`);
  return `The migration ${file}${line} was refused by the database: ${messageOf(error)} (${error.code})${more.join('')}`;
}
