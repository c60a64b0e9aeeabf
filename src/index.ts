/** What a program imports: the manager of files, the client that starts and steers workflows, the stores behind them, types and errors. */

export { type ServedLegacy, serveLegacy } from '../workers/legacy-worker.ts';
export { type CutoverClient, connectClient, type NewMigration, type NewUpload, newMigrationId } from './client/cutover-client.ts';
export { type Config, ConfigError, getStatus, loadConfig, Status } from './config/index.ts';
export { USES, type Use } from './domain/capabilities.ts';
export * from './domain/errors.ts';
export type { Considered } from './domain/handling.ts';
export type { MigrationState, MigrationTotals } from './domain/migration.ts';
export * from './domain/models.ts';
export type { NewRollout } from './domain/rollout-plan.ts';
export { MODEL_KINDS, type ModelKind, type TimeLimits, timeLimitsFor } from './domain/time-limits.ts';
export { NO_TRACING, type Tracing } from './domain/tracing.ts';
export { configuredLegacy } from './facade/configured-legacy.ts';
export { type ConnectedFacade, connectFacade } from './facade/connect.ts';
export type { Caller } from './facade/context.ts';
export type { Facade, FacadeFile } from './facade/facade.ts';
export type { CallContext, FileDownload, FilePage, FileService, StoredFile, UploadFile } from './facade/file-service.ts';
export type { FacadeInput } from './facade/inputs.ts';
export { createLegacyHttp } from './facade/legacy-http.ts';
export { createLegacySupabase } from './facade/legacy-supabase.ts';
export { createOpenFeatureProvider } from './facade/openfeature.ts';
export { type StateWatcher, watchState } from './facade/state-watcher.ts';
export type { Ledger } from './ledger/ledger.ts';
export type { Deleted } from './manager/delete.ts';
export type { Ensured } from './manager/ensure.ts';
export {
  createFileManager,
  type FileInfo,
  type FileManager,
  type FileManagerDependencies,
  type Named,
  type OperationOptions,
} from './manager/file-manager.ts';
export type { ProviderStatus } from './manager/provider-status.ts';
export type { GivenInline, UploadedToBest } from './manager/smart-handler.ts';
export { type MoveRequest, moveStage, readStage, type StageReport, stageDependencies, stageRules } from './manager/stages.ts';
export { connectStores, type Stores } from './manager/stores.ts';
export type { Followed, StartedUpload, UploadOptions, Uploads } from './manager/uploader.ts';
export { createMetrics, type Metrics } from './observability/metrics.ts';
export { connectTracing } from './observability/tracing.ts';
export type { Provider } from './providers/provider.ts';
