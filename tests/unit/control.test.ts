import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ControlRun, createControlActivities } from '../../activities/control.ts';
import { createMemoryFileService, type MemoryFileService } from '../support/memory-file-service.ts';

/** The old path's second run, which may take nothing away from a user. */

const bytes = Buffer.from('the same content');
const input = {
  ...{ name: 'a.txt', mimeType: null, sizeBytes: bytes.length, path: null },
  async *open() {
    yield bytes;
  },
};
const context = { tool: 'kimi', userId: 'ann', operationId: 'op-1', purpose: 'storage', signal: new AbortController().signal };

let legacy: MemoryFileService;
beforeEach(() => {
  legacy = createMemoryFileService('old');
});
/** As an old path that keeps which operation stored what. */
const remembering = (): void => {
  legacy.find = async (operationId) => {
    const at = legacy.uploads.findIndex((upload) => upload.context.operationId === operationId);
    return at === -1 ? null : ([...legacy.files.values()].find(({ id }) => id === storedBy[at]) ?? null);
  };
  const { upload } = legacy;
  const storedBy: string[] = [];
  legacy.upload = async (...args) => {
    const stored = await upload(...args);
    storedBy.push(stored.id);
    return stored;
  };
};
/** What is there already gets no id of its own. */
const deduping = (): void => {
  const { upload } = legacy;
  legacy.upload = async (...args) => [...legacy.files.values()][0] ?? (await upload(...args));
};
async function run(legacyId: string) {
  const source = { kind: 'object', provider: 'supabase', id: 'b/a', sizeBytes: bytes.length, name: 'a.txt', mimeType: null } as const;
  const control: ControlRun = {
    tool: 'kimi',
    operationId: 'op-1',
    source,
    file: { name: 'a.txt', mimeType: null, purpose: 'storage', legacyId },
  };
  const { runControl } = createControlActivities({
    legacy,
    provider: () => ({ download: async () => ({ chunks: input.open() }) }) as never,
  });
  return await new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') }).run(runControl, control);
}

describe('The second run of the old path', () => {
  test('removes what it has stored, and leaves the file of the user', async () => {
    remembering();
    const { id } = await legacy.upload(input, context);
    expect(await run(id)).toMatchObject({ ok: true, result: { name: 'a.txt', sizeBytes: bytes.length } });
    expect(legacy.uploads).toHaveLength(2);
    expect([...legacy.files.keys()]).toEqual([id]);
  });

  test('removes nothing where the old path answers with the file that the user has', async () => {
    const { id } = await legacy.upload(input, context);
    deduping();
    // Also where it takes the file for the one of this operation.
    legacy.find = async () => legacy.files.get(id) ?? null;
    expect(await run(id)).toMatchObject({ ok: true });
    expect([...legacy.files.keys()]).toEqual([id]);
  });

  test('removes nothing where the old path answers with a file of somebody else', async () => {
    remembering();
    const { id } = await legacy.upload(input, { ...context, userId: 'bob', operationId: 'op-0' });
    deduping();
    expect(await run('old-1')).toMatchObject({ ok: true });
    expect([...legacy.files.keys()]).toEqual([id]);
  });

  test('is refused where the old path cannot be asked what an operation stored: nothing is uploaded, nothing deleted', async () => {
    const { id } = await legacy.upload(input, context);
    await expect(run(id)).rejects.toMatchObject({ code: 'control_not_supported' });
    expect([legacy.uploads.length, [...legacy.files.keys()]]).toEqual([1, [id]]);
  });
});
