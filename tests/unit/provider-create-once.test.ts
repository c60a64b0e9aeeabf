import { describe, expect, test } from 'vitest';
import { ProviderUnavailableError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import { createOnce } from '../../src/providers/create-once.ts';
import { storedObjectOf } from '../../src/providers/provider.ts';

const signal = new AbortController().signal;
const lost = () => new UploadError('the answer was lost', { code: 'connection_broken', retryable: true });
const limited = () => new ProviderUnavailableError('slow down', { code: 'rate_limited', retryable: true });

/** A vendor whose attempts go as `script` says: an error before it acts, an error after it, or well. */
function vendor(...script: ('well' | { before: Error } | { after: Error } | { late: Error })[]) {
  const objects: string[] = [];
  let pending: string[] = [];
  let made = 0;
  const calls = { find: 0, create: 0, surplus: [] as string[] };
  const run = (retried = false) =>
    createOnce({
      retry: { maxRetries: 5, budgetMs: 10_000, baseMs: 1 },
      signal,
      retried,
      async find() {
        calls.find += 1;
        return objects.map((id) => storedObjectOf({ id, sizeBytes: 1 }));
      },
      async create() {
        calls.create += 1;
        const step = script.shift() ?? 'well';
        const id = `id-${++made}`;
        objects.push(...pending);
        pending = [];
        if (step === 'well') objects.push(id);
        else if ('after' in step) {
          objects.push(id);
          throw step.after;
        } else if ('late' in step) {
          pending.push(id);
          throw step.late;
        } else throw step.before;
        return storedObjectOf({ id, sizeBytes: 1 });
      },
      async remove(id) {
        objects.splice(objects.indexOf(id), 1);
      },
      onSurplus: (id) => calls.surplus.push(id),
    });
  return { run, objects, calls };
}

describe('an object is made once', () => {
  test('without looking first where nothing speaks for an earlier one', async () => {
    const { run, objects, calls } = vendor('well');
    expect((await run()).id).toBe('id-1');
    expect({ objects, calls }).toEqual({ objects: ['id-1'], calls: { find: 0, create: 1, surplus: [] } });
  });

  test('and taken instead of made again, after an answer that was lost', async () => {
    const { run, objects, calls } = vendor({ after: lost() });
    expect((await run()).id).toBe('id-1');
    expect(objects).toEqual(['id-1']);
    expect(calls.create).toBe(1);
  });

  test('and made again, after an attempt that did nothing', async () => {
    const { run, objects } = vendor({ before: lost() });
    expect((await run()).id).toBe('id-2');
    expect(objects).toEqual(['id-2']);
  });

  test('and kept, the oldest, where the vendor was late and there are two: the other is deleted and told', async () => {
    const { run, objects, calls } = vendor({ late: lost() });
    expect((await run()).id).toBe('id-1');
    expect(objects).toEqual(['id-1']);
    expect(calls.surplus).toEqual(['id-2']);
  });

  test('without looking after a refusal by which nothing can have been stored', async () => {
    const { run, calls } = vendor({ before: limited() }, { before: limited() });
    await run();
    expect(calls).toMatchObject({ find: 0, create: 3 });
  });

  test('and looked for at once, after the death of an earlier process', async () => {
    const { run, objects, calls } = vendor();
    objects.push('left');
    expect((await run(true)).id).toBe('left');
    expect(calls.create).toBe(0);
  });

  test('and not tried again, after an error that a retry cannot help', async () => {
    const { run, calls } = vendor({ before: new ValidationError('no', { code: 'file_too_large' }) });
    await expect(run()).rejects.toMatchObject({ code: 'file_too_large' });
    expect(calls.create).toBe(1);
  });
});
