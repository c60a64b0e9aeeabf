import type { HttpBindings } from '@hono/node-server';
import { createFacade, type Facade, type FacadeOptions } from '../../src/facade/facade.ts';
import { type ApiOptions, createApi } from '../../src/server/app.ts';
import { listen } from '../../src/server/listen.ts';
import { createMemoryFileService, type MemoryFileService } from './memory-file-service.ts';

export const TOKEN = 'a-token-of-the-tests';

export interface RunningTestApi {
  url: string;
  /** A request with the token. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** What was logged of each request. */
  lines: Record<string, unknown>[];
  /** Begins to refuse, as a server that was told to stop. */
  beginStopping(): void;
  stop(graceMs?: number): Promise<number>;
}

/** The HTTP API as `cutover serve` puts it together, over a facade of the test's own. */
export async function startTestApi(facade: Facade, more: Partial<ApiOptions> = {}): Promise<RunningTestApi> {
  const lines: Record<string, unknown>[] = [];
  const log = (line: unknown) => void lines.push(line as Record<string, unknown>);
  let stopping = false;
  const app = createApi({
    ...{
      facade,
      token: TOKEN,
      version: '0.0.0',
      debug: false,
      tools: ['kimi', 'supabase'],
      maxFileBytes: 10 * 1024 * 1024,
      idleMs: 30_000,
    },
    log: { debug: log, info: log, error: log },
    probes: { ledger: async () => true, temporal: async () => true },
    isStopping: () => stopping,
    ...more,
  });
  const { url, stop } = await listen((request: Request, env: HttpBindings) => app.fetch(request, env), { host: '127.0.0.1', port: 0 });
  return {
    url,
    lines,
    ask: (path, init = {}) => fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...init.headers } }),
    beginStopping() {
      stopping = true;
    },
    stop: (graceMs = 1000) => stop(graceMs),
  };
}

/** A facade over two sides in memory, one of which serves everybody. */
export function memoryFacade(share: 0 | 100, more: Partial<FacadeOptions> = {}) {
  const legacy: MemoryFileService = createMemoryFileService('old/files');
  const unified: MemoryFileService = createMemoryFileService('new');
  const facade = createFacade({
    ...{ legacy, unified, fallback: true, maxFileBytes: 10 * 1024 * 1024 },
    state: {
      routing: () => ({ master: true, tool: true, stage: 'live', share, step: 1 }),
      setting: () => undefined,
      onChange: () => () => undefined,
      ready: async () => undefined,
      close: () => undefined,
    },
    outcomes: { record: () => undefined },
    knows: async (id) => unified.files.has(id),
    ...more,
  });
  return { facade, legacy, unified };
}
