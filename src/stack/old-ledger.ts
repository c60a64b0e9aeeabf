import { messageOf } from '../domain/errors.ts';
import { ledgerMigrationsFolder, migrationsIn, missingMigrations } from './ledger-migrations.ts';

/** A ledger that says which migrations it has; null: it has no record of them. */
interface Checked {
  check(): Promise<readonly string[] | null>;
}

/** Says when the ledger is older than this process, whose work would fail piece by piece over functions that are not there. */
export async function warnOfOldLedger(ledger: Checked, log: { warn(message: string): void }): Promise<void> {
  try {
    const missing = missingMigrations(await ledger.check(), migrationsIn(ledgerMigrationsFolder()));
    if (missing !== null) log.warn(`${missing}: run \`supabase db push\``);
  } catch (error) {
    log.warn(messageOf(error));
  }
}
