import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract.ts';
import { connectTemporal } from '../client/connect.ts';
import type { Config } from '../config/index.ts';
import { messageOf } from '../domain/errors.ts';
import { connectStores } from '../manager/stores.ts';
import { type Check, failed, ok, warning } from '../stack/check.ts';
import { ledgerMigrationsFolder, migrationsIn, missingMigrations } from '../stack/ledger-migrations.ts';
import { missingSearchAttributes } from '../stack/search-attributes.ts';

const NOT_RUNNING = 'Start the stack with `npx cutover up`.';
const CALL_WITHIN_MS = 5000;

/** Temporal as it is configured: reachable, namespace, search attributes, a worker. */
export async function checkTemporal({ temporal }: Config): Promise<Check[]> {
  const { address, namespace, taskQueue } = temporal;
  if (address === null) return [warning('Temporal', 'none runs here and TEMPORAL_ADDRESS is not set', NOT_RUNNING)];
  let client: Awaited<ReturnType<typeof connectTemporal>>;
  try {
    client = await connectTemporal(temporal);
  } catch (error) {
    return [failed('Temporal', messageOf(error), temporal.embedded ? NOT_RUNNING : 'Check that server and TEMPORAL_ADDRESS.')];
  }
  const connection = client.connection as Connection;
  const checks = [ok('Temporal', `answers at ${address}`)];
  try {
    return await connection.withDeadline(Date.now() + CALL_WITHIN_MS, async () => {
      await connection.workflowService.describeNamespace({ namespace });
      checks.push(ok('Namespace', namespace));
      const missing = await missingSearchAttributes(connection, namespace, SEARCH_ATTRIBUTES);
      checks.push(
        missing.length === 0
          ? ok('Search attributes', Object.keys(SEARCH_ATTRIBUTES).join(', '))
          : failed(
              'Search attributes',
              `missing: ${missing.join(', ')}`,
              'A worker registers them when it may; else `temporal operator search-attribute create`.',
            ),
      );
      const { pollers } = await connection.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: 1,
      });
      const names = (pollers ?? []).map((poller) => poller.identity ?? '?');
      checks.push(
        names.length > 0
          ? ok('Worker', `${names.join(', ')} on task queue ${taskQueue}`)
          : warning('Worker', `nobody polls the task queue ${taskQueue}`, 'Start one with `npx cutover worker` (or `npx cutover up`).'),
      );
      return checks;
    });
  } catch (error) {
    return [...checks, failed('Namespace', `${namespace}: ${messageOf(error)}`, 'Check TEMPORAL_NAMESPACE, and that your key may use it.')];
  } finally {
    await connection.close();
  }
}

/** Supabase as it is configured: reachable, key, ledger, bucket. */
export async function checkSupabase(config: Config): Promise<Check[]> {
  const { url, secretKey, bucket, embedded } = config.supabase;
  if (url === null || secretKey === null) return [warning('Supabase', 'none runs here and SUPABASE_URL is not set', NOT_RUNNING)];
  const todo = embedded ? NOT_RUNNING : 'Check SUPABASE_URL and that the project is not paused.';
  const headers = { apikey: secretKey, authorization: `Bearer ${secretKey}` };
  let answer: Response;
  try {
    answer = await fetch(`${url}/storage/v1/bucket/${encodeURIComponent(bucket)}`, {
      headers,
      signal: AbortSignal.timeout(CALL_WITHIN_MS),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
    return [failed('Supabase', `${url} cannot be reached: ${cause}`, todo)];
  }
  const checks = [ok('Supabase', `answers at ${url}`), await checkLedger(config)];
  const body = (await answer.json().catch(() => ({}))) as { statusCode?: string; message?: string };
  if (answer.ok) checks.push(ok('Bucket', bucket));
  else if (answer.status === 404 || body.statusCode === '404')
    checks.push(warning('Bucket', `${bucket} is not there yet`, 'It is made by the first upload.'));
  else
    checks.push(
      failed(
        'Bucket',
        `${bucket}: HTTP ${answer.status} ${body.message ?? ''}`.trim(),
        'Check SUPABASE_SECRET_KEY: it must be the secret (service_role) key.',
      ),
    );
  return checks;
}

async function checkLedger(config: Config): Promise<Check> {
  try {
    const missing = missingMigrations(await connectStores(config).ledger.check(), migrationsIn(ledgerMigrationsFolder()));
    if (missing !== null) return failed('Ledger', missing, 'Apply them with `supabase db push`; an embedded stack does when it starts.');
    return ok('Ledger', 'its schema is there and the key may use it');
  } catch (error) {
    return failed('Ledger', messageOf(error), 'Check SUPABASE_SECRET_KEY; on a hosted project apply the schema with `supabase db push`.');
  }
}
