import type { Logger } from 'pino';
import type { Config } from '../src/config/index.ts';
import { messageOf } from '../src/domain/errors.ts';
import { connectStores } from '../src/manager/stores.ts';
import { ledgerMigrationsFolder, migrationsIn, missingMigrations } from '../src/stack/ledger-migrations.ts';

/** Says when the ledger is older than this worker, whose activities would fail one by one over functions that are not there. */
export async function warnOfOldLedger(config: Config, log: Logger): Promise<void> {
  try {
    const missing = missingMigrations(await connectStores(config).ledger.check(), migrationsIn(ledgerMigrationsFolder()));
    if (missing !== null) log.warn(`${missing}: run \`supabase db push\``);
  } catch (error) {
    log.warn(messageOf(error));
  }
}
