import { existsSync } from 'node:fs';
import { requireFreeDisk } from './disk.ts';
import { ledgerMigrationsFolder } from './ledger-migrations.ts';
import { liteService } from './lite/service.ts';
import type { StatePaths } from './paths.ts';
import type { Ports } from './ports.ts';
import { ensureCluster } from './postgres/cluster.ts';
import { placePostgres } from './postgres/placement.ts';
import { postgresService, postgresUrl } from './postgres/service.ts';
import { removeAbandonedTemporaries } from './postgres/shared-homes.ts';
import { loadSecrets } from './secrets.ts';
import type { Stack, StackOptions } from './stack.ts';
import { StackError } from './stack-error.ts';
import type { Supervisor } from './supervisor.ts';
import { obtainTemporal } from './temporal/binary.ts';
import { temporalService } from './temporal/service.ts';

type Addresses = Pick<Stack, 'temporal' | 'supabase' | 'postgresUrl'>;

/** Temporal and Supabase side by side, each only where no other one is configured. */
export async function startServices(supervisor: Supervisor, paths: StatePaths, ports: Ports, options: StackOptions): Promise<Addresses> {
  const stop = () => void supervisor.stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const [temporal, supabase] = await together(supervisor, [
      startTemporal(supervisor, paths, ports, options),
      startSupabase(supervisor, paths, ports, options),
    ]);
    return { temporal, ...supabase };
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}

/** When one fails the others are stopped, and none is still under way when what failed is thrown: not that the others were stopped. */
async function together<T extends readonly Promise<unknown>[]>(
  supervisor: Supervisor,
  parts: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  try {
    return await Promise.all(parts);
  } catch (error) {
    await supervisor.stop();
    const reasons = (await Promise.allSettled(parts)).flatMap((part) => (part.status === 'rejected' ? [part.reason] : []));
    throw reasons.find((reason) => !(reason instanceof StackError && reason.code === 'stopped')) ?? error;
  }
}

async function startTemporal(
  supervisor: Supervisor,
  paths: StatePaths,
  ports: Ports,
  options: StackOptions,
): Promise<Addresses['temporal']> {
  const { config, env, log = () => {} } = options;
  const { address, uiUrl, namespace, embedded } = config.temporal;
  if (address !== null && !embedded) return { address, uiUrl, namespace, embedded: false };
  const { path: binary } = await obtainTemporal({
    cacheDir: config.stack.cacheDir,
    env,
    log,
    signal: supervisor.signal,
    onSpawn: (child) => supervisor.track('temporal-installation', child),
  });
  await supervisor.start(
    temporalService({ binary, dbFile: paths.temporalDb, port: ports.temporal, uiPort: ports.temporalUi, namespace, env }),
  );
  return { address: `127.0.0.1:${ports.temporal}`, uiUrl: `http://127.0.0.1:${ports.temporalUi}`, namespace, embedded: true };
}

async function startSupabase(
  supervisor: Supervisor,
  paths: StatePaths,
  ports: Ports,
  options: StackOptions,
): Promise<Pick<Addresses, 'supabase' | 'postgresUrl'>> {
  const { config, env, log = () => {} } = options;
  const external = config.supabase;
  if (external.url !== null && external.secretKey !== null && !external.embedded)
    return {
      supabase: { url: external.url, secretKey: external.secretKey, publishableKey: null, jwtSecret: null, embedded: false },
      postgresUrl: null,
    };
  const secretsAreNew = !existsSync(paths.secrets);
  const secrets = loadSecrets(paths.secrets);
  if (process.getuid?.() === 0) removeAbandonedTemporaries();
  const placement = placePostgres(paths.postgres, secrets.instance);
  supervisor.watchDisk(placement.home);
  requireFreeDisk(placement.home);
  const url = postgresUrl(ports.postgres, secrets.postgresPassword);
  const { jwtSecret, secretKey, publishableKey } = secrets;
  const lite = liteService(
    {
      port: ports.supabase,
      postgresUrl: url,
      objects: paths.objects,
      databaseFolder: placement.home,
      migrations: ledgerMigrationsFolder(),
      jwtSecret,
      secretKey,
      publishableKey,
      env,
    },
    (names) => log(`Applied ${names.length} database migration${names.length === 1 ? '' : 's'}.`),
  );
  const database = async () => {
    const { signal } = supervisor;
    await ensureCluster(placement, {
      password: secrets.postgresPassword,
      secretsAreNew,
      env,
      signal,
      onSpawn: (child) => supervisor.track('initdb', child),
    });
    // The connections of the one that died are gone, and losing them crashes Lite or leaves it confused.
    await supervisor.start(postgresService(placement, { port: ports.postgres, env }), () => supervisor.restart(lite.name));
  };
  // Side by side: while the database starts, Lite loads and waits for it.
  await together(supervisor, [database(), supervisor.start(lite)]);
  return {
    supabase: { url: `http://127.0.0.1:${ports.supabase}`, secretKey, publishableKey, jwtSecret, embedded: true },
    postgresUrl: url,
  };
}
