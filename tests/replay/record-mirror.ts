import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { uploadSettings } from '../../src/client/settings.ts';
import { ProviderUnavailableError, ValidationError } from '../../src/domain/errors.ts';
import type { NewReference } from '../../src/domain/models.ts';
import type { RolloutRecord } from '../../src/ledger/rollout-ledger.ts';
import { serveLegacy } from '../../workers/legacy-worker.ts';
import {
  legacyQueue,
  type MirroredFile,
  type MirrorInput,
  mirrorStatusQuery,
  mirrorWorkflowId,
  type RehomeInput,
  rehomeStatusQuery,
  rehomeWorkflowId,
  rollbackWorkflowId,
} from '../../workflows/contract.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';
import { type Running, runOn, type Servers } from '../support/running.ts';

/** The ways of `mirror`, `rehome` and `rollback`. */
export interface Recorder {
  isSaved(way: string): boolean;
  save(cutover: Running, way: string, workflowId: string): Promise<void>;
}

const SETTLE_MS = 500;
const down = new ProviderUnavailableError('the old path is down', { code: 'unavailable', retryable: true });

export async function mirrors(cutover: Running, { isSaved, save }: Recorder): Promise<void> {
  const { temporal, config, client, put } = cutover;
  const { taskQueue } = config.temporal;
  const legacy = createMemoryFileService('old');
  const served = await serveLegacy(config, legacy);
  const reference = (name: string): NewReference => ({
    ...{ name, tool: 'record', userId: 'ann', purpose: 'storage', context: null, tags: [], keep: 'keep' },
  });
  const pathOf = (name: string, text: string) => ({ kind: 'path', path: put(name, text), sizeBytes: text.length, modifiedMs: 0 }) as const;
  /** At unified, as an application has uploaded it. */
  async function upload(name: string, tool = 'record'): Promise<string> {
    const handle = await client.startUpload({
      ...{ idempotencyKey: name, source: pathOf(name, `content ${randomUUID()}`), provider: 'supabase', namespace: 'live', verify: 'none' },
      ...{ onDuplicate: 'reuse', reference: { ...reference(name), tool } },
    });
    return (await client.uploadResult(handle)).fileId;
  }

  async function mirror(
    way: string,
    about: Pick<MirrorInput, 'answered' | 'id'>,
    signal: Signal,
    meddle: (handle: WorkflowHandle) => Promise<void> = async () => {},
  ): Promise<void> {
    const file = { name: way, sizeBytes: 45, mimeType: null, purpose: 'storage', source: null, staged: false, step: 1, late: null };
    const input: MirrorInput = {
      ...{ tool: 'record', userId: 'ann', provider: 'supabase', legacyQueue: legacyQueue(taskQueue) },
      retry: { firstMs: 300, longestMs: 600, giveUpAfterMs: 60_000 },
      settings: uploadSettings(config, 'supabase'),
      ...about,
    };
    const handle = await temporal.workflow.signalWithStart('mirror', {
      ...{ workflowId: mirrorWorkflowId('record', way), taskQueue, signal: signal.signal, args: [input] },
      signalArgs: [signal.signal === 'write' ? { ...file, ...signal.signalArgs[0] } : {}],
    });
    await meddle(handle);
    await handle.result().catch((error: Error) => console.log(`  ${way}: ${error.message}`));
    await sleep(SETTLE_MS);
    await save(cutover, way, handle.workflowId);
  }
  async function rehome(
    way: string,
    files: number,
    over: Partial<RehomeInput> = {},
    meddle: (handle: { signal(name: string, why?: object): Promise<void>; copied(): Promise<number> }) => Promise<void> = async () => {},
  ): Promise<void> {
    if (isSaved(way)) return;
    for (let at = 0; at < files; at += 1) await upload(`${way}-${at}`, way);
    const input: RehomeInput = {
      ...{ tool: way, since: null, verify: 'stored', concurrency: 2, pageSize: 4, filesPerRun: 100, legacyQueue: legacyQueue(taskQueue) },
      settings: uploadSettings(config, ''),
      ...over,
    };
    const handle = await temporal.workflow.start('rehome', { workflowId: rehomeWorkflowId(way), taskQueue, args: [input] });
    await meddle({
      signal: (name, why) => handle.signal(name, why ?? {}),
      copied: async () => (await handle.query(rehomeStatusQuery)).totals.copied,
    });
    await handle.result();
    await sleep(SETTLE_MS);
    await save(cutover, way, rehomeWorkflowId(way));
  }

  try {
    const text = 'a text of which there are 44 bytes altogether';
    const source = pathOf('mirrored', text);
    const waiting = async (handle: WorkflowHandle) => {
      while ((await handle.query(mirrorStatusQuery)).phase !== 'waiting') await sleep(50);
    };
    if (!isSaved('mirror-to-unified')) await mirror('mirror-to-unified', { answered: 'legacy', id: 'old/1' }, write({ source }));
    if (!isSaved('mirror-removed-at-unified')) await mirror('mirror-removed-at-unified', { answered: 'legacy', id: 'old/1' }, remove);
    if (!isSaved('mirror-to-legacy')) {
      const id = await upload('mirror-to-legacy');
      await mirror('mirror-to-legacy', { answered: 'unified', id }, write({}));
    }
    if (!isSaved('mirror-repaired')) {
      const id = await upload('mirror-repaired');
      legacy.failing = down;
      await mirror('mirror-repaired', { answered: 'unified', id }, write({}), async (handle) => {
        await waiting(handle);
        legacy.failing = null;
      });
    }
    if (!isSaved('mirror-removed-while-it-waits')) {
      const id = await upload('mirror-removed-while-it-waits');
      legacy.failing = down;
      await mirror('mirror-removed-while-it-waits', { answered: 'unified', id }, write({}), async (handle) => {
        await waiting(handle);
        await handle.signal('remove', { reason: 'deleted' });
      });
      legacy.failing = null;
    }
    if (!isSaved('mirror-late')) {
      await upload('mirror-late');
      await mirror('mirror-late', { answered: 'legacy', id: 'old/late' }, write({ late: 'mirror-late' }));
    }
    if (!isSaved('mirror-late-in-vain'))
      await mirror('mirror-late-in-vain', { answered: 'legacy', id: 'old/vain' }, write({ late: 'never', source }));
    if (!isSaved('mirror-deleted-before-it-was-written'))
      await mirror('mirror-deleted-before-it-was-written', { answered: 'legacy', id: 'old/gone' }, write({ source }));
    if (!isSaved('mirror-still-at-legacy')) {
      const input = {
        ...{ name: 'a', mimeType: null, sizeBytes: text.length, path: null },
        open: async function* () {
          yield Buffer.from(text);
        },
      };
      const signal = new AbortController().signal;
      const { id } = await legacy.upload(input, { tool: 'record', userId: 'ann', operationId: randomUUID(), purpose: 'storage', signal });
      await mirror('mirror-still-at-legacy', { answered: 'legacy', id }, write({ source }));
    }
    if (!isSaved('mirror-given-up')) {
      const id = await upload('mirror-given-up');
      legacy.failing = new ValidationError('the old path takes no such file', { code: 'rejected' });
      await mirror('mirror-given-up', { answered: 'unified', id }, write({}));
      legacy.failing = null;
    }

    await rehome('rehome-whole', 6);
    await rehome('rehome-nothing', 0);
    await rehome('rehome-continued', 9, { filesPerRun: 4 });
    const { upload: quick } = legacy;
    legacy.upload = async (...args) => {
      await sleep(200);
      if (args[0].name === 'rehome-failed-1') throw new ValidationError('the old path takes no such file', { code: 'rejected' });
      return await quick(...args);
    };
    await rehome('rehome-failed', 3);
    const some = async (handle: { copied(): Promise<number> }) => {
      while ((await handle.copied()) === 0) await sleep(50);
    };
    await rehome('rehome-paused', 8, {}, async (handle) => {
      await some(handle);
      await handle.signal('pause', { reason: 'deploy' });
      await sleep(600);
      await handle.signal('resume');
    });
    await rehome('rehome-cancelled', 8, { verify: 'download' }, async (handle) => {
      await some(handle);
      await handle.signal('cancel', { reason: 'enough' });
    });
  } finally {
    await served.close();
  }
}

type Signal = { signal: 'write'; signalArgs: [Partial<MirroredFile>] } | { signal: 'remove'; signalArgs: [] };
const write = (file: Partial<MirroredFile>): Signal => ({ signal: 'write', signalArgs: [file] });
const remove: Signal = { signal: 'remove', signalArgs: [] };

export async function rollbacks(cutover: Running, servers: Servers, { isSaved, save }: Recorder): Promise<void> {
  const proxy = await startFaultProxy(servers.supabase.url);
  /** Its worker reaches the ledger by way of the proxy. */
  const behind = await runOn({ ...servers, supabase: { ...servers.supabase, url: proxy.url } });
  const way = async (name: string, stage: RolloutRecord['stage'], reason: string | null, meddle = (): void => undefined) => {
    if (isSaved(name)) return;
    await cutover.stores.rollouts.decide({
      ...{
        decisionId: randomUUID(),
        tool: name,
        decision: 'stage_moved',
        decidedBy: 'ann',
        reason: 'record',
        workflowId: null,
        runId: null,
      },
      ...{ state: { stage, share: 100, status: 'completed', nextEpoch: true }, evidence: {} },
    });
    meddle();
    const workflowId = rollbackWorkflowId(name);
    const { taskQueue } = behind.config.temporal;
    await cutover.temporal.workflow.execute('rollback', { workflowId, taskQueue, args: [{ tool: name, by: 'ann', reason }] });
    const after = await cutover.stores.rollouts.rollout(name);
    console.log(`  ${name}: ${after?.stage} at ${after?.share} %`);
    await sleep(SETTLE_MS);
    await save(cutover, name, workflowId);
  };
  try {
    await way('rollback-ramp-down', 'ramp_down', 'legacy is to answer again');
    await way('rollback-complete', 'complete', null);
    await way('rollback-of-nothing', 'shadow', 'a mistake');
    await way('rollback-without-ledger', 'live', 'while the ledger is away', () =>
      proxy.inject(({ path }) => path.includes('/rpc/'), ...Array.from({ length: 12 }, () => ({ kind: 'answer', status: 503 }) as const)),
    );
  } finally {
    await behind.stop();
    await proxy.close();
  }
}
