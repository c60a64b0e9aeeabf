import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CutoverClient } from '../../src/client/cutover-client.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import { startSweep } from '../../src/domain/retention.ts';
import type { SweepItem, SweepRun } from '../../src/ledger/retention-ledger.ts';
import type { Stores } from '../../src/manager/stores.ts';
import { connectMcp, type McpSession } from '../support/mcp.ts';
import { scratchFolder } from '../support/stack.ts';

/** A sweep is the whole ledger's, which other tests use: here it is one by hand. */

const folder = scratchFolder('mcp-retention');
const runId = randomUUID();
const ITEMS = 300;
const items = Array.from(
  { length: ITEMS },
  (_, index): SweepItem => ({
    ...{ id: index + 1, action: 'mark', reason: 'expired', copyId: randomUUID(), fileId: randomUUID(), provider: 'supabase' },
    ...{ account: 'a/b', name: `file ${index}`, sizeBytes: 1, outcome: 'planned', code: null },
  }),
);
const run: SweepRun = {
  ...{ id: runId, workflowId: 'sweep', dryRun: true, status: 'completed', reason: null, notes: ['an account could not be counted'] },
  rules: { retentionDays: 30, orphanDays: 7, graceDays: 7, quotaMinAgeDays: 1, includeReview: false },
  totals: [{ action: 'mark', reason: 'expired', outcome: 'planned', copies: ITEMS, bytes: ITEMS }],
  ...{ startedAt: '2026-01-01T00:00:00Z', endedAt: '2026-01-01T00:00:01Z' },
};
const asked: unknown[][] = [];
let ends: Promise<unknown> = Promise.resolve({ ...startSweep(runId, true, 0), status: 'completed' });
const client = {
  startSweep: async (sweep: unknown) => {
    asked.push(['start', sweep]);
    return { workflowId: 'sweep', joined: false };
  },
  sweepResult: () => ends,
  sweepProgress: async () => ({ ...startSweep(runId, true, 0), phase: 'expired' }),
  sweepSchedule: async () => ({ paused: true, note: 'paused by ann', next: null, running: [], missed: 0 }),
  stopSweeps: async (why: unknown) => {
    asked.push(['stop', why]);
    return ['sweep'];
  },
  pauseSweeps: async (note: string) => void asked.push(['pause', note]),
  resumeSweeps: async (note: string) => void asked.push(['resume', note]),
  workflowUrl: (id: string) => `http://ui/${id}`,
} as unknown as CutoverClient;
const stores = {
  retention: {
    sweeps: async () => [run],
    sweepItems: async (_: string, { after, limit }: { after: number | null; limit: number }) =>
      items.filter(({ id }) => id > (after ?? 0)).slice(0, limit),
    retentionState: async () => ({ now: '', inReview: 2, waiting: 5, lastSuccess: null }),
  },
} as unknown as Stores;

const configOf = (env: Record<string, string> = {}): Config =>
  loadConfig({ env: { MCP_MAX_OUTPUT_TOKENS: '4000', ...env }, cwd: folder.path });
let session: McpSession;
beforeAll(async () => {
  const services = { client: async () => client, stores: async () => stores, close: async () => undefined };
  session = await connectMcp(() => ({ config: configOf(), services }), { cwd: folder.path });
});
afterAll(async () => {
  await session?.close();
  folder.remove();
});

describe('the tools for retention', () => {
  it('list what a sweep would do, as much as an answer may hold, and go on where it was cut', async () => {
    const progress: string[] = [];
    const { data, text } = await session.call('run_retention', { dry_run: true }, { progress });
    expect(asked).toContainEqual(['start', { dryRun: true, includeReview: false }]);
    expect(data).toMatchObject({ status: 'done', workflowId: 'sweep', url: 'http://ui/sweep', run: { id: runId, dryRun: true } });
    expect(text).toMatch(/an account could not be counted/);
    expect(progress[0]).toMatch(/get_retention_status/);
    const seen = (data.items as { name: string }[]).map(({ name }) => name);
    expect(seen.length).toBeGreaterThan(10);
    expect(seen.length).toBeLessThan(ITEMS);
    for (let cursor = data.next; cursor !== null; ) {
      const page = await session.call('list_sweep_items', { run_id: runId, cursor });
      expect(Buffer.byteLength(JSON.stringify(page.data))).toBeLessThanOrEqual(16_000);
      seen.push(...(page.data.items as { name: string }[]).map(({ name }) => name));
      cursor = page.data.next;
    }
    expect(seen).toEqual(items.map(({ name }) => name));
  });

  it('leave a sweep that takes longer than the wait, and say how to come back', async () => {
    ends = new Promise(() => undefined);
    const { data } = await session.call('run_retention', { dry_run: false, wait_seconds: 1 });
    expect(data).toMatchObject({ status: 'running', run: null, items: [], comeBack: expect.stringContaining('list_sweep_items') });
    ends = Promise.reject(new ProviderUnavailableError('the sweep broke', { code: 'failed' }));
    ends.catch(() => undefined);
    expect((await session.call('run_retention', { dry_run: false })).text).toMatch(/^the sweep broke/);
  });

  it('pause, resume and stop with who and why, and tell the schedule', async () => {
    await session.call('pause_retention', { reason: 'audit' });
    await session.call('resume_retention');
    expect((await session.call('stop_retention', { reason: 'too slow' })).data).toEqual({ asked: ['sweep'] });
    expect(asked.slice(-3)).toEqual([
      ['pause', 'paused by ann via MCP: audit'],
      ['resume', 'resumed by ann via MCP'],
      ['stop', { by: 'ann via MCP', reason: 'too slow' }],
    ]);
    expect((await session.call('get_retention_status')).data).toMatchObject({
      ...{ schedule: { paused: true, note: 'paused by ann' }, waiting: 5, inReview: 2, runs: [{ id: runId }] },
    });
  });
});

describe('a server that was not there', () => {
  const away = new ProviderUnavailableError('No Temporal server is known', { code: 'temporal_unknown' });

  it('is found by the next call when the configuration has it now', async () => {
    let opened = 0;
    let env: Record<string, string> = {};
    const own = await connectMcp(
      () => {
        opened += 1;
        const config = configOf(env);
        const known = config.temporal.address !== null;
        const services = {
          client: async () => (known ? client : Promise.reject(away)),
          stores: async () => stores,
          close: async () => undefined,
        };
        return { config, services };
      },
      { cwd: folder.path },
    );
    expect((await own.call('pause_retention')).text).toMatch(
      /No Temporal server is known\n\(code temporal_unknown; call again when that is settled\)/,
    );
    expect((await own.call('pause_retention')).isError).toBe(true);
    env = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
    expect((await own.call('pause_retention')).isError).toBe(false);
    expect(opened).toBe(4);
    await own.close();
  });
});
