import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Config, ConfigError, type Problem } from '../config/index.ts';
import { messageOf } from '../domain/errors.ts';
import { NO_TRACING, type Tracing } from '../domain/tracing.ts';
import { configuredLegacy } from '../facade/configured-legacy.ts';
import { connectFacade } from '../facade/connect.ts';
import { createMetrics } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { createApi } from './app.ts';
import { type Listening, listen } from './listen.ts';
import { createProbes } from './probes.ts';
import { openWorkFolder } from './work-folder.ts';

export interface RunningApi {
  url: string;
  /** The folder through which uploads reach workers; null: by way of Supabase Storage. */
  stagingFolder: string | null;
  /** Takes no more, lets what is under way finish within the grace, writes what was counted. @returns how many requests were cut off */
  stop(): Promise<number>;
}

export interface ApiSettings {
  log: Logger;
  version: string;
  tracing?: Tracing;
}

/**
 * The facade of the configuration over HTTP, and its metrics where the configuration has a port for them.
 * @throws ConfigError naming all that must be set; ValidationError where the address cannot be listened on
 */
export async function startApi(config: Config, { log, version, tracing = NO_TRACING }: ApiSettings): Promise<RunningApi> {
  const { token, legacy } = required(config);
  const staging = stagingOf(config);
  const work = await openWorkFolder(staging ?? join(tmpdir(), `cutover-${process.getuid?.() ?? 'serve'}`));
  const undo = [() => work.remove()];
  const cleanUp = async () => {
    for (const step of undo.toReversed()) await step();
  };
  let stopping = false;
  let listening: Listening;
  try {
    const metrics = createMetrics(config.metrics);
    const { facade, close } = await connectFacade(config, {
      ...{ legacy, observer: metrics, tracing, log },
      spoolFolder: join(work.path, 'spool'),
      stagingFolder: staging === null ? undefined : join(work.path, 'staging'),
      onTrouble: (error) => log.warn({ error: messageOf(error) }, 'trouble beside a request'),
    });
    undo.push(close);
    const probes = createProbes(config);
    undo.push(() => probes.close());
    const { migration, files } = config;
    const app = createApi({
      ...{ facade, token, version, probes, log, debug: config.log.debug, isStopping: () => stopping },
      ...{ tools: Object.keys(migration.tools), maxFileBytes: files.maxFileBytes, idleMs: files.idleTimeoutMs },
    });
    const { port, address } = config.metrics;
    if (port !== null) {
      const health = async () => ({ ok: !stopping, parts: { api: stopping ? 'stopping' : 'ok' } });
      const shown = await serveMetrics({ address, port, metrics: () => metrics.text(), health });
      undo.push(() => shown.close());
      log.info({ metrics: `${shown.url}/metrics` }, 'metrics are served');
    }
    listening = await listen(app.fetch, config.serve);
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return {
    url: listening.url,
    stagingFolder: staging,
    async stop() {
      stopping = true;
      const cut = await listening.stop(config.worker.shutdownGraceMs);
      await cleanUp();
      return cut;
    },
  };
}

function required(config: Config) {
  const { token } = config.serve;
  const legacy = configuredLegacy(config);
  if (token !== null && legacy !== null) return { token, legacy };
  const unset = (variable: string, message: string): Problem => ({ variable, value: null, message, where: null });
  throw new ConfigError([
    ...(token === null
      ? [unset('CUTOVER_API_TOKEN', 'must be set: callers send it as bearer token (`openssl rand -hex 32` makes one)')]
      : []),
    ...(legacy === null
      ? [
          unset(
            'LEGACY_URL',
            'or LEGACY_BUCKET must be set: the old upload path, which serves whom the new one does not, and where it fails',
          ),
        ]
      : []),
  ]);
}

/** Workers of the embedded stack are on this machine. */
function stagingOf({ serve, stateDir, temporal, supabase }: Config): string | null {
  return serve.stagingDir ?? (temporal.embedded && supabase.embedded ? join(stateDir, 'staging') : null);
}
