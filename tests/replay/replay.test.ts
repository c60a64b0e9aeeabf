import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type ReplayHistoriesIterable, Worker, type WorkflowBundle } from '@temporalio/worker';
import { beforeAll, describe, expect, test } from 'vitest';
import { createLogger, temporalLogger } from '../../src/observability/logger.ts';
import { installRuntime } from '../../workers/runtime.ts';

const folder = fileURLToPath(new URL('./histories/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
const load = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as { workflowId: string; history: unknown };
const bundle = async (path: string): Promise<WorkflowBundle> =>
  await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL(path, import.meta.url)),
    workflowInterceptorModules: [fileURLToPath(new URL('../../workflows/trace-interceptors.ts', import.meta.url))],
    logger: temporalLogger(createLogger('replay', 'error')),
  });

beforeAll(() => {
  installRuntime(createLogger('replay', 'silent'));
});

async function failures(workflowBundle: WorkflowBundle): Promise<Map<string, Error | undefined>> {
  async function* histories(): ReplayHistoriesIterable {
    for (const name of names) yield load(name);
  }
  const ended = new Map<string, Error | undefined>();
  const replayed = Worker.runReplayHistories({ workflowBundle, replayName: 'saved' }, histories());
  let at = 0;
  for await (const { error } of replayed) ended.set(names[at++] as string, error);
  return ended;
}

describe('a workflow that is running somewhere', () => {
  test('goes on with the code of today, whatever way it went', async () => {
    const ended = await failures(await bundle('../../workflows/index.ts'));
    expect(ended.size).toBe(names.length);
    for (const [name, error] of ended) expect(error, name).toBeUndefined();
  }, 120_000);

  test('has at least five saved histories of its kind', () => {
    const migrating = ['upload', 'migrate', 'rollout', 'rollback', 'shadow-comparison', 'mirror', 'rehome'];
    for (const workflow of [...migrating, 'retention-sweep', 'reconcile', 'hash-backfill'])
      expect(names.filter((name) => name.startsWith(`${workflow}-`)).length).toBeGreaterThanOrEqual(5);
  });

  test('would be stopped by a change of the order of its steps, and these tests would say so', async () => {
    const ended = await failures(await bundle('./broken-workflows.ts'));
    expect(ended.get('upload-small.1.json')).toBeInstanceOf(Error);
    expect(ended.get('migrate-folder.1.json')).toBeInstanceOf(Error);
    expect(ended.get('rollout-healthy.1.json')).toBeInstanceOf(Error);
    expect(ended.get('shadow-comparison-matched.1.json')).toBeInstanceOf(Error);
    expect(ended.get('retention-sweep-healthy.1.json')).toBeInstanceOf(Error);
    expect(ended.get('reconcile-reported.1.json')).toBeInstanceOf(Error);
    expect(ended.get('hash-backfill-recorded.1.json')).toBeInstanceOf(Error);
    expect(ended.get('rollback-ramp-down.1.json')).toBeInstanceOf(Error);
    expect(ended.get('mirror-to-unified.1.json')).toBeInstanceOf(Error);
    expect(ended.get('rehome-whole.1.json')).toBeInstanceOf(Error);
  }, 120_000);
});
