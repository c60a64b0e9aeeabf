import { beforeEach, describe, expect, test } from 'vitest';
import { FileNotFoundError, ProviderUnavailableError, UploadError } from '../../src/domain/errors.ts';
import type { CallContext, UploadFile } from '../../src/facade/file-service.ts';
import type { Staging } from '../../src/facade/staging.ts';
import { StillRunningError } from '../../src/facade/still-running.ts';
import { createUnified, type UnifiedOptions } from '../../src/facade/unified.ts';
import type { FileManager } from '../../src/manager/file-manager.ts';

type Upload = FileManager['upload'];
type Answer = Awaited<ReturnType<Upload>>;

const DONE = { fileId: 'f-1', sizeBytes: 5, mimeType: 'text/plain', sha256: 'a'.repeat(64) } as unknown as Answer;
const file: UploadFile = {
  ...{ name: 'a.txt', mimeType: null, sizeBytes: 5, path: null },
  open: () =>
    (async function* () {
      yield Buffer.from('hello');
    })(),
};
const context = (signal = new AbortController().signal): CallContext => ({
  ...{ tool: 'kimi', userId: 'ann', operationId: 'op', purpose: 'storage', signal },
});
let removed = 0;
let uploads = 0;
beforeEach(() => {
  removed = 0;
  uploads = 0;
});
const staging = (temporary: boolean): Staging => ({
  stage: async () => ({
    source: { kind: 'object', provider: 'supabase', id: 'b/staging/1', sizeBytes: 5, name: 'a.txt', mimeType: null },
    temporary,
    async remove() {
      removed += 1;
    },
  }),
});
const unified = (upload: Upload, more: Partial<UnifiedOptions> = {}) =>
  createUnified({
    manager: {
      upload: (...args) => {
        uploads += 1;
        return upload(...args);
      },
    } as UnifiedOptions['manager'],
    ledger: {} as UnifiedOptions['ledger'],
    providerOf: () => 'supabase',
    staging: staging(true),
    patience: { startMs: 30, doneMs: () => 30 },
    ...more,
  });
/** Takes the upload at once, and is done when the promise is. */
const taken =
  (done: Promise<Answer>): Upload =>
  async (_, { onStarted }) => {
    onStarted?.({ workflowId: 'w' });
    return await done;
  };

describe('An upload by the new path', () => {
  test('is told as the side tells of files', async () => {
    expect(await unified(taken(Promise.resolve(DONE))).upload(file, context())).toEqual({
      ...{ id: 'f-1', name: 'a.txt', sizeBytes: 5, mimeType: 'text/plain', sha256: 'a'.repeat(64) },
    });
  });

  test('is known by its own id, where its worker knows of such', async () => {
    const uploadId = '0f8fad5b-d9cb-869f-a165-70867728950e';
    expect(await unified(taken(Promise.resolve({ ...DONE, uploadId }))).upload(file, context())).toMatchObject({ id: uploadId });
  });

  test('and a download have the time that the kind of model gives them', async () => {
    const asked: unknown[] = [];
    const upload: Upload = async (_, options) => {
      asked.push(options.model);
      return await taken(Promise.resolve(DONE))(_, options);
    };
    const patience = { startMs: 5000, doneMs: (size: number, model?: string) => asked.push(`${size} ${model}`) + 5000 };
    const held = { id: 'r-1', userId: 'ann', name: 'a.txt', legacyId: null };
    const side = unified(upload, {
      patience,
      manager: {
        upload,
        read: async (_: unknown, options: { model?: string }) => void asked.push(`read ${options.model}`),
      } as unknown as UnifiedOptions['manager'],
      ledger: { givenId: async () => ({ file: DONE, held: [held], ours: true }) } as unknown as UnifiedOptions['ledger'],
    });
    await side.upload(file, { ...context(), model: 'thinking' });
    await side.download('0f8fad5b-d9cb-869f-a165-70867728950e', { ...context(), model: 'fast' });
    expect(asked).toEqual(['thinking', '5 thinking', 'read fast']);
  });

  test('leaves what was handed over to the workflow, and removes what was not', async () => {
    await unified(taken(Promise.resolve(DONE))).upload(file, context());
    expect(removed).toBe(0);
    await unified(taken(Promise.resolve(DONE)), { staging: staging(false) }).upload(file, context());
    expect(removed).toBe(1);
    const refused = new UploadError('no', { code: 'x' });
    await expect(unified(() => Promise.reject(refused)).upload(file, context())).rejects.toBe(refused);
    expect(removed).toBe(2);
  });

  test('is not waited for longer than a caller can; what becomes of it is told all the same', async () => {
    const done = Promise.withResolvers<Answer>();
    const error = await unified(taken(done.promise))
      .upload(file, context())
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StillRunningError);
    done.resolve(DONE);
    expect(await (error as StillRunningError).late.file).toMatchObject({ id: 'f-1' });
  });

  test('that fails after nobody waits any more came to nothing', async () => {
    const done = Promise.withResolvers<Answer>();
    const error = await unified(taken(done.promise))
      .upload(file, context())
      .catch((thrown: unknown) => thrown);
    done.reject(new Error('failed'));
    expect(await (error as StillRunningError).late.file).toBeNull();
  });

  test.each<[string, Upload]>([
    ['taken by Temporal', () => new Promise(() => undefined)],
    ['done', taken(new Promise(() => undefined))],
  ])('spares callers the waiting when three in a row were not %s in time', async (_, upload) => {
    const side = unified(upload);
    for (let at = 0; at < 3; at += 1) await expect(side.upload(file, context())).rejects.toBeInstanceOf(StillRunningError);
    const before = performance.now();
    await expect(side.upload(file, context())).rejects.toMatchObject({ code: 'not_in_time', retryable: true });
    expect(performance.now() - before).toBeLessThan(20);
    expect(uploads).toBe(3);
  });

  test('that is refused says nothing about Temporal', async () => {
    const side = unified(() => Promise.reject(new UploadError('no', { code: 'rejected' })));
    for (let at = 0; at < 5; at += 1) await expect(side.upload(file, context())).rejects.toMatchObject({ code: 'rejected' });
    const away = unified(() => Promise.reject(new ProviderUnavailableError('away', { code: 'temporal_unreachable' })));
    const codes: unknown[] = [];
    for (let at = 0; at < 5; at += 1) codes.push(await away.upload(file, context()).catch((error: { code: string }) => error.code));
    // Temporal may have taken them all the same.
    expect(codes).toEqual([...Array(3).fill('timeout'), 'not_in_time', 'not_in_time']);
    expect(uploads).toBe(5 + 3);
  });

  test('that workers cannot read is no mistake of the caller, who has another path', async () => {
    const vanished = new FileNotFoundError('/staging/1 is not there', { code: 'file_vanished' });
    await expect(unified(() => Promise.reject(vanished)).upload(file, context())).rejects.toMatchObject({
      ...{ code: 'source_unreadable', name: 'UploadError' },
    });
  });

  test('is one of its own, though the application names two operations alike', async () => {
    const keys: unknown[] = [];
    const side = unified(async (_, options) => {
      keys.push(options.idempotencyKey, options.operationId);
      return DONE;
    });
    await Promise.all([side.upload(file, context()), side.upload(file, context())]);
    expect(keys[0]).not.toBe(keys[2]);
    expect([keys[1], keys[3]]).toEqual(['op', 'op']);
  });

  test('is given up at once when the caller gives up', async () => {
    const controller = new AbortController();
    const reason = new Error('gone');
    const upload = unified(taken(new Promise(() => undefined)), { patience: { startMs: 5000, doneMs: () => 5000 } }).upload(
      file,
      context(controller.signal),
    );
    controller.abort(reason);
    await expect(upload).rejects.toBe(reason);
  });
});
