import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import {
  type Client,
  QueryNotRegisteredError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from '@temporalio/common';
import {
  cancelSignal,
  type MigrateInput,
  type MigrationSource,
  migrateWorkflowId,
  pauseSignal,
  resumeSignal,
  statusQuery,
  type UploadInput,
  type UploadResult,
  uploadWorkflowId,
} from '../../workflows/contract.ts';
import type { Config } from '../config/index.ts';
import { type ErrorJson, errorFromJson, FileManagementError, FileNotFoundError, messageOf, ValidationError } from '../domain/errors.ts';
import type { MigrationState } from '../domain/migration.ts';
import type { Tracing } from '../domain/tracing.ts';
import type { UploadOrder } from '../domain/upload-order.ts';
import { connectTemporal, unreachable } from './connect.ts';
import { createMaintenanceClient } from './maintenance-client.ts';
import { createMirrorClient } from './mirror-client.ts';
import { createRetentionClient } from './retention-client.ts';
import { createRolloutClient } from './rollout-client.ts';
import { uploadSettings } from './settings.ts';
import { createShadowClient } from './shadow-client.ts';

export type NewUpload = UploadOrder;
export type NewMigration = Pick<MigrateInput, 'source' | 'provider' | 'concurrency' | 'verify' | 'purpose'> & { migrationId?: string };

/** For people: what a migration reads. */
function describeSource(source: MigrationSource): string {
  if (source.kind === 'folder') return source.root;
  return source.kind === 'manifest' ? source.path : `provider:${source.provider}${source.under === null ? '' : `/${source.under}`}`;
}

/** An id that sorts by time and names nothing: ids are stored in plain text. */
export function newMigrationId(now: Date): string {
  return `${now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}-${randomBytes(2).toString('hex')}`;
}

/** Starts workflows, sends signals and reads state: the only place that knows ids and start policies. */
export type CutoverClient = Awaited<ReturnType<typeof connectClient>>;

export async function connectClient(config: Config, tracing?: Tracing) {
  const client = await connectTemporal(config.temporal, tracing);
  const closed = new AbortController();
  setMaxListeners(0, closed.signal);
  return {
    ...createClient(client, config, closed.signal),
    close: async () => {
      // A call that the closing broke would be tried again, and throw out of a timer where nobody catches it.
      closed.abort();
      await client.connection.close();
    },
  };
}

export type ClientConfig = Pick<Config, 'temporal' | 'files' | 'operations' | 'providers' | 'migration' | 'rollouts' | 'retention'>;

/** @param closed ends the calls that are under way when it aborts */
export function createClient(client: Client, config: ClientConfig, closed?: AbortSignal) {
  const { taskQueue, uiUrl, namespace } = config.temporal;
  const migration = (id: string) => client.workflow.getHandle(migrateWorkflowId(id));

  /** Turns what Temporal's client throws into errors that say what to do. */
  const asked = async <T>(what: string, ask: () => Promise<T>): Promise<T> => {
    // One of its own, because Temporal's client never takes its listeners off again.
    const over = new AbortController();
    const end = (): void => over.abort();
    closed?.addEventListener('abort', end, { once: true });
    try {
      return await client.connection.withAbortSignal(over.signal, ask);
    } catch (error) {
      throw clientError(config.temporal, what, error);
    } finally {
      closed?.removeEventListener('abort', end);
    }
  };

  return {
    ...createRetentionClient(client, config, asked),
    ...createRolloutClient(client, config, asked),
    ...createShadowClient(client, config, asked),
    ...createMirrorClient(client, config, asked),
    ...createMaintenanceClient(client, taskQueue, asked),

    /** The same idempotency key while it runs is the same upload. */
    async startUpload({ attempts: tries, model, ...upload }: NewUpload): Promise<WorkflowHandle> {
      const attempts = tries === undefined ? {} : { attempts: tries };
      return await asked('upload', () =>
        client.workflow.start('upload', {
          workflowId: uploadWorkflowId(upload.idempotencyKey),
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          taskQueue,
          staticSummary: upload.reference.name.slice(0, 200),
          ...(upload.operationId === undefined ? {} : { memo: { operationId: upload.operationId } }),
          args: [{ ...upload, settings: { ...uploadSettings(config, upload.provider, model), ...attempts } } satisfies UploadInput],
        }),
      );
    },
    async uploadResult(handle: WorkflowHandle): Promise<UploadResult> {
      return await asked('upload', () => handle.result() as Promise<UploadResult>);
    },

    /** @throws ValidationError when there was a migration of that id. */
    async startMigration({ migrationId = newMigrationId(new Date()), ...rest }: NewMigration): Promise<string> {
      await asked(`migration ${migrationId}`, () =>
        client.workflow.start('migrate', {
          workflowId: migrateWorkflowId(migrationId),
          // One report for each id: a second run under the same id would mix with the first one's.
          workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
          taskQueue,
          staticSummary: `${describeSource(rest.source)} → ${rest.provider}`.slice(0, 200),
          args: [{ ...rest, migrationId, settings: uploadSettings(config, rest.provider), filesPerRun: 500 } satisfies MigrateInput],
        }),
      );
      return migrationId;
    },
    /** Waits for the end. @throws FileManagementError when it failed or was cancelled or terminated in Temporal. */
    async migrationResult(id: string): Promise<MigrationState> {
      return await asked(`migration ${id}`, () => migration(id).result() as Promise<MigrationState>);
    },
    /** Also answers for a migration that has ended. Needs a worker. */
    async migrationStatus(id: string): Promise<MigrationState> {
      return await asked(`migration ${id}`, () => migration(id).query(statusQuery));
    },
    async pauseMigration(id: string, reason?: string): Promise<void> {
      await asked(`migration ${id}`, () => migration(id).signal(pauseSignal, reason === undefined ? {} : { reason }));
    },
    async resumeMigration(id: string): Promise<void> {
      await asked(`migration ${id}`, () => migration(id).signal(resumeSignal));
    },
    async cancelMigration(id: string, reason?: string): Promise<void> {
      await asked(`migration ${id}`, () => migration(id).signal(cancelSignal, reason === undefined ? {} : { reason }));
    },
    /** Newest first. */
    async listMigrations(limit: number): Promise<{ id: string; status: string; startedAt: Date }[]> {
      return await asked('migrations', async () => {
        const found: { id: string; status: string; startedAt: Date }[] = [];
        for await (const execution of client.workflow.list({ query: `WorkflowType = 'migrate'`, pageSize: limit })) {
          const id = execution.workflowId.replace(/^migrate:/, '');
          if (!found.some((other) => other.id === id)) found.push({ id, status: execution.status.name, startedAt: execution.startTime });
          if (found.length >= limit) break;
        }
        return found;
      });
    },

    /** How migrations to a provider ended, the newest first: those that came to the end of their source. */
    async earlierMigrations(provider: string, limit: number): Promise<MigrationState[]> {
      return await asked('migrations', async () => {
        const query = `WorkflowType = 'migrate' AND CutoverProvider = '${provider}' AND ExecutionStatus = 'Completed'`;
        const states: Promise<MigrationState>[] = [];
        for await (const { workflowId, runId } of client.workflow.list({ query, pageSize: limit })) {
          states.push(client.workflow.getHandle(workflowId, runId).result() as Promise<MigrationState>);
          if (states.length >= limit) break;
        }
        return await Promise.all(states);
      });
    },

    /** Where a person can look at it; null when no UI is known. */
    workflowUrl(workflowId: string): string | null {
      return uiUrl === null ? null : `${uiUrl.replace(/\/$/, '')}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}`;
    },
    migrationUrl(id: string): string | null {
      return this.workflowUrl(migrateWorkflowId(id));
    },
  };
}

function clientError(temporal: Config['temporal'], what: string, error: unknown): unknown {
  if (error instanceof FileManagementError) return error;
  if (error instanceof WorkflowExecutionAlreadyStartedError)
    return new ValidationError(`The ${what} was started already: look at it with --attach, or choose another --id`, {
      code: 'already_started',
      cause: error,
    });
  if (error instanceof WorkflowNotFoundError)
    return new FileNotFoundError(
      `There is no ${what} that is running or that Temporal still knows (namespace ${temporal.namespace}).${what.startsWith('migration') ? ' See them with: npx cutover migrate list' : ''}`,
      {
        code: 'workflow_not_found',
        cause: error,
      },
    );
  if (error instanceof WorkflowFailedError) return failureOf(what, error);
  if (error instanceof QueryNotRegisteredError || !(error instanceof Error)) return error;
  return grpcCode(error) === undefined ? error : unreachable(temporal, error);
}

/** gRPC's status, where it is an error of the connection or of the server. */
function grpcCode(error: Error): unknown {
  return (error as { code?: unknown }).code ?? (error.cause as { code?: unknown } | undefined)?.code;
}

function failureOf(what: string, error: WorkflowFailedError): FileManagementError {
  const { cause } = error;
  if (cause instanceof CancelledFailure) return new FileManagementError(`The ${what} was cancelled`, { code: 'cancelled', cause });
  if (cause instanceof TerminatedFailure) return new FileManagementError(`The ${what} was terminated`, { code: 'terminated', cause });
  if (!(cause instanceof ApplicationFailure))
    return new FileManagementError(`The ${what} failed: ${messageOf(cause ?? error)}`, { code: 'failed', cause });
  const { kind = '', code = 'failed', provider, retryable = false } = (cause.details?.[0] ?? {}) as Partial<ErrorJson>;
  return errorFromJson({ kind, message: cause.message, code, provider, retryable }, cause);
}
