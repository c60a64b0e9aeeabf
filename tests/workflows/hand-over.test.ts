import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo, Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { mapErrors, toFailure } from '../../activities/failures.ts';
import type { Activities } from '../../activities/index.ts';
import { createMigrateActivities, type MigrateActivitiesDependencies } from '../../activities/migrate.ts';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import type { MigrationState } from '../../src/domain/migration.ts';
import type { SourceItem } from '../../src/domain/migration-item.ts';
import type { MigrationItem } from '../../src/domain/models.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { cancelSignal, type MigrateInput, migrateWorkflowId, statusQuery } from '../../workflows/contract.ts';
import { quietRuntime } from '../support/running.ts';

/** The real workflows on the real server; activities by hand, so that a test decides how long an upload takes and what is listed. */

const SLOW = 'slow';
let client: Client;
let native: NativeConnection;
let bundle: string;
beforeAll(async () => {
  quietRuntime();
  const { address } = inject('temporal');
  client = new Client({ connection: await Connection.connect({ address }) });
  native = await NativeConnection.connect({ address });
  bundle = await workflowBundle(inject('stateDir'));
});
afterAll(async () => {
  await native.close();
  await client.connection.close();
});

interface Play {
  state: Promise<MigrationState>;
  status(): Promise<MigrationState>;
  cancel(): Promise<void>;
  /** Lets the slow upload end. */
  release(): void;
  recorded: MigrationItem[];
}

/** A migration of `pages` pages of three files, a run of the workflow for each; the first file takes until it is released. */
async function play(
  options: { pages: number; concurrency?: number; listing?: (page: number) => void; recording?: (play: Play) => Promise<void> },
  look: (play: Play) => Promise<void>,
): Promise<void> {
  const id = randomUUID();
  const taskQueue = `hand-over-${id}`;
  const released = Promise.withResolvers<void>();
  const recorded: MigrationItem[] = [];
  const real = mapErrors(createMigrateActivities({ client } as MigrateActivitiesDependencies));
  const content = { sha256: 'a'.repeat(64), sizeBytes: 1, mimeType: 'text/plain' };
  const activities: Partial<Activities> = {
    checkMigration: async () => undefined,
    awaitUpload: real.awaitUpload,
    async listFiles(_source, cursor) {
      const page = Number(cursor ?? 0);
      options.listing?.(page);
      const items = [0, 1, 2].map((at): SourceItem => {
        const path = page === 0 && at === 0 ? SLOW : `${page}/${at}`;
        return { path, key: path, sizeBytes: 1, source: { kind: 'path', path, sizeBytes: 1, modifiedMs: 0 } };
      });
      return { items, next: page + 1 < options.pages ? String(page + 1) : null };
    },
    async uploadSmallFile({ reference }) {
      if (reference.name !== SLOW)
        return { ...content, outcome: 'uploaded', fileId: id, provider: 'p', providerFileId: 'o', verified: 'none' };
      throw new Error('taken step by step');
    },
    async hashFile() {
      const context = Context.current();
      const timer = setInterval(() => context.heartbeat(), 200);
      try {
        await Promise.race([released.promise, context.cancelled]);
      } finally {
        clearInterval(timer);
      }
      return content;
    },
    claimContent: async () => ({ outcome: 'completed', fileId: id, copyId: id, providerFileId: 'o', byUs: false }),
    recordUpload: async () => true,
    async recordItems(_id, items) {
      await options.recording?.(play);
      recorded.push(...items);
    },
  };
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    activities,
    workflowBundle: { codePath: bundle },
    maxHeartbeatThrottleInterval: '200 milliseconds',
    defaultHeartbeatThrottleInterval: '200 milliseconds',
  });
  const input: MigrateInput = {
    migrationId: id,
    source: { kind: 'folder', root: '/none' },
    provider: 'p',
    concurrency: options.concurrency ?? 10,
    verify: 'none',
    filesPerRun: 3,
    drainMs: 300,
    settings: { localLimitBytes: 10, minBytesPerSecond: 1, activityTimeoutMs: 60_000, leaseSeconds: 60 },
  };
  const running = worker.run();
  const handle = await client.workflow.start('migrate', { workflowId: migrateWorkflowId(id), taskQueue, args: [input] });
  const play: Play = {
    state: handle.result() as Promise<MigrationState>,
    status: () => handle.query(statusQuery),
    cancel: () => handle.signal(cancelSignal),
    release: released.resolve,
    recorded,
  };
  play.state.catch(() => undefined);
  try {
    await look(play);
  } finally {
    released.resolve();
    worker.shutdown();
    await running;
  }
}
const paths = (items: readonly MigrationItem[]) => items.map(({ path }) => path).sort();

describe('an upload that outlasts a run of its migration', () => {
  test('is waited for through several runs, and arrives once', async () => {
    await play({ pages: 4 }, async ({ status, state, release, recorded }) => {
      await expect.poll(async () => (await status()).totals.uploaded, { timeout: 15_000 }).toBe(11);
      // Longer than a heartbeat of what the earlier runs left waiting.
      await sleep(1_500);
      release();
      expect(await state).toMatchObject({ phase: 'done', totals: { listed: 12, deduplicated: 1, uploaded: 11, cancelled: 0 } });
      expect(new Set(paths(recorded)).size).toBe(12);
    });
  });

  test('and ends while the results of its run are being written has its line in the report', async () => {
    const recording = async ({ release }: Play) => {
      if (activityInfo().isLocal) throw new Error('the ledger is away for a moment');
      release();
      await sleep(2_000);
    };
    await play({ pages: 2, recording }, async ({ state, recorded }) => {
      expect((await state).totals).toMatchObject({ listed: 6, uploaded: 5, deduplicated: 1 });
      expect(paths(recorded)).toContain(SLOW);
    });
  });

  test('is cancelled with it, and counted so', async () => {
    await play({ pages: 3 }, async ({ status, state, cancel, recorded }) => {
      await expect.poll(async () => (await status()).totals.uploaded, { timeout: 15_000 }).toBe(8);
      await cancel();
      expect(await state).toMatchObject({ phase: 'cancelled', totals: { uploaded: 8, cancelled: 1 } });
      expect(recorded.filter(({ path }) => path === SLOW)).toMatchObject([{ status: 'cancelled' }]);
    });
  });
});

describe('a migration whose source cannot be listed any more', () => {
  test('fails with the reason after the uploads under way have ended, and the report has what was done', async () => {
    const listing = (page: number) => {
      if (page === 1) throw toFailure(new FileNotFoundError('the manifest is gone', { code: 'file_vanished' }));
    };
    await play({ pages: 2, listing }, async ({ state, status, release, recorded }) => {
      await expect.poll(async () => (await status()).runs, { timeout: 15_000 }).toBe(2);
      setTimeout(release, 1_000);
      await expect(state).rejects.toMatchObject({ cause: { message: 'the manifest is gone' } });
      expect(paths(recorded)).toEqual(['0/1', '0/2', SLOW]);
    });
  });
});
