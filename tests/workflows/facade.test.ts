import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import type { RolloutPlan } from '../../src/domain/rollout.ts';
import { patienceOf, stagingStore } from '../../src/facade/connect.ts';
import { folderStaging, storageStaging } from '../../src/facade/staging.ts';
import { createUnified } from '../../src/facade/unified.ts';
import { createFileManager } from '../../src/manager/file-manager.ts';
import { type RolloutInput, rolloutWorkflowId } from '../../workflows/contract.ts';
import { expectPlainFiles, fileOperations } from '../conformance/file-model.ts';
import { describeFileService } from '../conformance/file-service-suite.ts';
import { startFacade } from '../support/facade.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';
import { type Running, runOn } from '../support/running.ts';

/** The facade over the real server, database and storage, with two workers: what an application and its users see of a ramp. */

/** No other test ramps this tool: what is in force is the ledger's, which all tests share. */
const TOOL = 'supabase';
const SWITCHES = { ENABLE_UNIFIED_MANAGER: 'true', ENABLE_SUPABASE_MIGRATION: 'true' };
const servers = () => ({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') });

/** What is left in the place through which bytes reach the workers. */
async function leftIn(cutover: Running, stagingFolder: string): Promise<string[]> {
  const left = existsSync(stagingFolder) ? readdirSync(stagingFolder) : [];
  const under = `${cutover.config.supabase.bucket}/staging/`;
  for await (const { objects } of cutover.stores.provider('supabase').list({ under, signal: AbortSignal.timeout(10_000) }))
    left.push(...objects.map(({ id }) => id));
  return left;
}

describe.each([
  ['a folder', false],
  ['Storage, because they see no folder of ours', true],
] as const)('Workers are given bytes by way of %s', (_, byStorage) => {
  describeFileService('Unified, through durable workflows', async () => {
    const cutover = await runOn(servers(), {}, { workers: 1 });
    const { config, stores, client } = cutover;
    const manager = createFileManager({ ...stores, uploads: async () => client, smartHandler: config.providers.smartHandler });
    const stagingFolder = join(cutover.folder, 'staging');
    const service = createUnified({
      ...{ manager, ledger: stores.ledger, providerOf: () => 'supabase', patience: patienceOf(config) },
      staging: byStorage ? storageStaging(stagingStore(config, stores)) : folderStaging(stagingFolder),
    });
    return {
      service,
      async close() {
        await vi.waitFor(async () => expect(await leftIn(cutover, stagingFolder)).toEqual([]), { timeout: 10_000 });
        await cutover.stop();
      },
    };
  });
});

describe('Files of the new path, through durable workflows', () => {
  let cutover: Running;
  beforeAll(async () => {
    cutover = await runOn(servers(), {}, { workers: 1 });
  });
  afterAll(() => cutover?.stop());

  test('are to an application what they are at the old one, whatever it does with the same bytes', async () => {
    const { config, stores, client } = cutover;
    const manager = createFileManager({ ...stores, uploads: async () => client, smartHandler: config.providers.smartHandler });
    const service = createUnified({
      ...{ manager, ledger: stores.ledger, providerOf: () => 'supabase', patience: patienceOf(config) },
      staging: folderStaging(join(cutover.folder, 'staging')),
    });
    const property = fc.asyncProperty(fileOperations(15), async (operations) => void (await expectPlainFiles(service, operations)));
    await fc.assert(property, { numRuns: 15, endOnFailure: true });
  }, 120_000);
});

describe('A ramp, as an application sees it', () => {
  let cutover: Running;
  beforeAll(async () => {
    cutover = await runOn(servers(), SWITCHES, { workers: 2 });
  });
  afterAll(() => cutover?.stop());

  async function ramp() {
    const plan: RolloutPlan = {
      ...{ tool: TOOL, steps: [30, 70], bakeMs: 500, evaluationMs: 300, gates: [] },
      rules: {
        ...{
          threshold: 0.05,
          minSamples: 30,
          alpha: 0.01,
          beta: 0.05,
          steps: 2,
          stickyUsers: true,
          onMismatch: 'hold',
          mismatchTolerance: 0,
        },
        tests: { wald: false, liveControl: false, pairs: false },
      },
    };
    const input: RolloutInput = { plan, startedBy: 'ann', reason: null, firstStep: 0, looksPerRun: 1000 };
    const { taskQueue } = cutover.config.temporal;
    return await cutover.temporal.workflow.start('rollout', { workflowId: rolloutWorkflowId(TOOL), taskQueue, args: [input] });
  }
  /** So many that a share of 30 % covers some of them. */
  const USERS = 30;
  const content = () => ({ bytes: Buffer.from(`content ${Math.random()}`), name: 'note.txt' });

  test('takes users over step by step, loses no file, and moves nobody back', async () => {
    const running = await startFacade(cutover);
    const handle = await ramp();
    const uploaded: { id: string; userId: string }[] = [];
    const byUser = new Map<string, string>();
    const statuses = async () => (await cutover.stores.rollouts.rollout(TOOL))?.status;
    const deadline = Date.now() + 60_000;
    while ((await statuses()) !== 'guarding' && Date.now() < deadline) {
      await Promise.all(
        Array.from({ length: USERS }, async (_, user) => {
          const userId = `user-${user}`;
          const file = await running.facade.upload(content(), { tool: TOOL, userId });
          uploaded.push({ id: file.id, userId });
          expect([byUser.get(userId), file.servedBy]).not.toEqual(['unified', 'legacy']);
          byUser.set(userId, file.servedBy);
        }),
      );
      await running.flush();
    }
    expect(await statuses()).toBe('guarding');
    expect([...byUser.values()].filter((arm) => arm === 'unified').length).toBeGreaterThan(3);
    for (const { id, userId } of uploaded) expect(await running.facade.info(id, { tool: TOOL, userId }), id).not.toBeNull();
    await handle.signal('rollback', { reason: 'end of the test' });
    await handle.result();
    await running.close();
  }, 90_000);

  test('of a candidate that fails is taken back by itself, and no caller saw an error', async () => {
    const unified = createMemoryFileService('broken');
    unified.failing = new ProviderUnavailableError('the new path is down', { code: 'unavailable', retryable: true });
    const running = await startFacade(cutover, { unified });
    const handle = await ramp();
    await expect.poll(() => running.share(TOOL), { timeout: 20_000 }).toBe(30);
    for (let at = 0; running.share(TOOL) > 0 && at < 60; at += 1) {
      const files = await Promise.all(
        Array.from({ length: 20 }, (_, user) => running.facade.upload(content(), { tool: TOOL, userId: `user-${user}` })),
      );
      expect(files.every(({ servedBy }) => servedBy === 'legacy')).toBe(true);
      await running.flush();
    }
    expect(await handle.result()).toMatchObject({ state: { status: 'rolled_back', share: 0, step: 0 } });
    // Within five seconds in every facade.
    await expect.poll(() => running.share(TOOL), { timeout: 5000 }).toBe(0);
    const events = await cutover.stores.rollouts.events(TOOL, { after: null, limit: 100 });
    expect(events.at(-1)).toMatchObject({ decision: 'rolled_back', decidedBy: 'the judge', shareBefore: 30, shareAfter: 0 });
    await running.close();
  }, 90_000);
});
