/** What a program imports: the client that starts and steers workflows, the stores behind them, and the types and errors of both. */
export { type CutoverClient, connectClient, type NewMigration, type NewUpload, newMigrationId } from './client/cutover-client.ts';
export { type Config, ConfigError, loadConfig } from './config/index.ts';
export * from './domain/errors.ts';
export type { MigrationState, MigrationTotals } from './domain/migration.ts';
export * from './domain/models.ts';
export type { Ledger } from './ledger/ledger.ts';
export { deleteFile } from './manager/delete.ts';
export { downloadFile } from './manager/download.ts';
export { connectStores, type Stores } from './manager/stores.ts';
export type { Provider } from './providers/provider.ts';
