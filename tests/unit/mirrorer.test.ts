import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { FileToMirror, MirrorTarget } from '../../src/client/mirror-client.ts';
import { FileNotFoundError, LedgerError, ProviderUnavailableError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import { retryDelayMs } from '../../src/domain/mirror.ts';
import type { Outcome } from '../../src/domain/outcome-counts.ts';
import { createBacklog } from '../../src/facade/backlog.ts';
import type { DeleteDone, UploadDone } from '../../src/facade/facade.ts';
import { createFollowers } from '../../src/facade/followers.ts';
import { createMirrorer, type MirrorerOptions } from '../../src/facade/mirrorer.ts';
import type { LegacyCopy } from '../../src/ledger/mirror-ledger.ts';

const away = new ProviderUnavailableError('Temporal is away', { code: 'temporal_unreachable', retryable: true });
const context = { tool: 'kimi', userId: 'ann', operationId: 'op-1', purpose: 'storage', signal: new AbortController().signal };
const BOTH = { arm: 'legacy', writesBoth: true, compares: false, reason: 'STATIC' } as const;
const stored = { id: 'old-1', name: 'a.txt', sizeBytes: 5, mimeType: 'text/plain', sha256: null };
const uploaded = (more: Partial<UploadDone> = {}): UploadDone => ({
  ...{ operation: 'upload', route: BOTH, step: 7, context, servedBy: 'legacy', stored, error: null, ms: 1, fallback: false, late: null },
  file: { name: 'a.txt', mimeType: 'text/plain', sizeBytes: 5, path: null, open: async function* () {} },
  ...more,
});
const deleted = (more: Partial<DeleteDone> = {}): DeleteDone => ({
  ...{ operation: 'delete', route: BOTH, step: 7, context, servedBy: 'legacy', id: 'old-1', ...more },
});

let asked: { target: MirrorTarget; file?: FileToMirror; start?: boolean }[];
let outcomes: Outcome[];
let laid: Set<string>;
let troubles: unknown[];
let temporal: Error | null;
beforeEach(() => {
  [asked, outcomes, troubles, temporal] = [[], [], [], null];
  laid = new Set();
});
const mirrorer = (more: Partial<MirrorerOptions> = {}) =>
  createMirrorer({
    async client() {
      if (temporal !== null) throw temporal;
      return {
        writeMirror: async (target, file) => void asked.push({ target, file }),
        removeMirror: async (target, { start }) => void asked.push({ target, start }),
      };
    },
    mirrors: { legacyCopies: async () => [], mirrorsOf: async () => [] },
    legacy: {},
    staging: {
      async put() {
        laid.add(`bucket/staging/${laid.size}`);
        return `bucket/staging/${laid.size - 1}`;
      },
      remove: async (id) => void laid.delete(id),
    },
    providerOf: () => 'supabase',
    outcomes: { record: (outcome) => void outcomes.push(outcome) },
    onTrouble: (error) => void troubles.push(error),
    firstRetryMs: 5,
    ...more,
  });

describe('After an upload', () => {
  test('that legacy answered, unified gets it from where workers can read it', async () => {
    const there = { kind: 'object', provider: 'supabase', id: 'app/uploads/1', sizeBytes: 5, name: 'a.txt', mimeType: null } as const;
    const under = mirrorer({ legacy: { locate: async () => there } });
    await under.afterwards(uploaded());
    await under.close();
    expect(asked).toMatchObject([
      {
        target: { tool: 'kimi', userId: 'ann', answered: 'legacy', id: 'old-1', provider: 'supabase' },
        file: { source: there, staged: false, step: 7 },
      },
    ]);
    expect(laid.size).toBe(0);
  });

  test('that legacy answered where workers see nothing, its bytes are laid in Storage before the file may go', async () => {
    const under = mirrorer();
    await under.afterwards(uploaded());
    expect(laid.size).toBe(1);
    await under.close();
    expect(asked[0]?.file).toMatchObject({ source: { kind: 'object', id: 'bucket/staging/0' }, staged: true, late: null });
  });

  test('that unified answered, legacy gets it; and nobody where only one side writes', async () => {
    const under = mirrorer();
    await under.afterwards(uploaded({ servedBy: 'unified' }));
    await under.afterwards(uploaded({ servedBy: 'unified', route: { ...BOTH, writesBoth: false } }));
    await under.afterwards(uploaded({ stored: null }));
    await under.close();
    expect(asked).toMatchObject([{ target: { answered: 'unified' }, file: { source: null } }]);
  });

  test('that arrives at unified after legacy had to answer, the mirror is told at once and again when it is there', async () => {
    const late = Promise.withResolvers<typeof stored | null>();
    const under = mirrorer();
    await under.afterwards(
      uploaded({ late: { idempotencyKey: 'key-1', file: late.promise }, fallback: true, route: { ...BOTH, writesBoth: false } }),
    );
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    late.resolve({ ...stored, id: 'new-1' });
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    for (const { file, target } of asked) expect([file?.late, file?.source, target.id]).toEqual(['key-1', null, 'old-1']);
    await under.close();
  });
});

describe('After a deletion', () => {
  test.each<[string, Partial<DeleteDone>, Partial<MirrorerOptions>, { start: boolean }[]]>([
    ['where both sides write, a mirror removes the other one', {}, {}, [{ start: true }]],
    [
      'of a file with a counterpart, in whatever stage',
      { route: { ...BOTH, writesBoth: false }, servedBy: 'unified', id: 'f' },
      { mirrors: { mirrorsOf: async () => [], legacyCopies: async () => [{} as LegacyCopy] } },
      [{ start: true }],
    ],
    [
      'of a file without one, only a mirror that is under way hears of it',
      { route: { ...BOTH, writesBoth: false } },
      {},
      [{ start: false }],
    ],
    ['where a switch is off and there is none, nobody is asked', { route: { ...BOTH, writesBoth: false, reason: 'DISABLED' } }, {}, []],
    [
      'when the ledger cannot say, a mirror looks',
      { route: { ...BOTH, writesBoth: false, reason: 'DISABLED' } },
      { mirrors: { legacyCopies: async () => [], mirrorsOf: () => Promise.reject(new LedgerError('away', { code: 'unreachable' })) } },
      [{ start: true }],
    ],
  ])('%s', async (_, done, more, expected) => {
    const under = mirrorer(more);
    await under.afterwards(deleted(done));
    await under.close();
    expect(asked).toMatchObject(expected);
  });
});

describe('While a large file is still being laid into Storage', () => {
  /** Storage takes a file until it is let; `heard`: whether it was told to stop. */
  function slowly() {
    const [begun, let_] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const seen = { stopped: false };
    const staging: MirrorerOptions['staging'] = {
      async put(_, signal) {
        signal.addEventListener('abort', () => {
          seen.stopped = true;
        });
        begun.resolve();
        await let_.promise;
        laid.add('bucket/staging/slow');
        return 'bucket/staging/slow';
      },
      remove: async (id) => void laid.delete(id),
    };
    return { staging, seen, begun: begun.promise, let: let_.resolve };
  }

  test('its deletion calls the mirror off: nothing is written after it, and nothing is left in Storage', async () => {
    const slow = slowly();
    const under = mirrorer({ staging: slow.staging });
    const upload = under.afterwards(uploaded());
    await slow.begun;
    await under.afterwards(deleted());
    slow.let();
    await upload;
    await under.close();
    expect(asked).toMatchObject([{ start: true, target: { id: 'old-1' } }]);
    expect([slow.seen.stopped, laid.size, outcomes.length, under.dropped]).toEqual([true, 0, 0, 0]);
  });

  test('the deletion of another file, or of the same id of another user, lets it be', async () => {
    const slow = slowly();
    const under = mirrorer({ staging: slow.staging });
    const upload = under.afterwards(uploaded());
    await slow.begun;
    await under.afterwards(deleted({ id: 'old-2' }));
    await under.afterwards(deleted({ context: { ...context, userId: 'bob' } }));
    slow.let();
    await upload;
    await under.close();
    expect(asked.map(({ target, file }) => [target.id, target.userId, file?.staged])).toEqual([
      ['old-2', 'ann', undefined],
      ['old-1', 'bob', undefined],
      ['old-1', 'ann', true],
    ]);
  });

  test('a stop drops its mirror, says so, counts it as a failure and leaves nothing in Storage', async () => {
    const slow = slowly();
    const under = mirrorer({ staging: slow.staging });
    const upload = under.afterwards(uploaded());
    await slow.begun;
    const closed = under.close();
    slow.let();
    await Promise.all([closed, upload]);
    expect([asked.length, laid.size, under.dropped]).toEqual([0, 0, 1]);
    expect(outcomes).toMatchObject([{ code: 'mirror_dropped', step: 7 }]);
    expect(troubles).toContainEqual(expect.objectContaining({ message: expect.stringContaining('stopped') }));
  });
});

test('a stop waits for those that still look on, and no longer than it was told', async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const followers = createFollowers(
    () => first.promise,
    () => second.promise,
  );
  const followed = followers.follow(uploaded());
  await followers.settled(1);
  let settled = false;
  const waiting = followers.settled(60_000).then(() => {
    settled = true;
  });
  first.resolve();
  await new Promise(setImmediate);
  expect(settled).toBe(false);
  second.reject(away);
  await expect(followed).rejects.toBe(away);
  await waiting;
});

describe('While Temporal is away', () => {
  test('mirrors wait, in their order, and are started when it is back', async () => {
    temporal = away;
    const under = mirrorer();
    for (const id of ['1', '2', '3']) await under.afterwards(deleted({ id }));
    await vi.waitFor(() => expect(troubles.length).toBeGreaterThan(2));
    temporal = null;
    await vi.waitFor(() => expect(asked.map(({ target }) => target.id)).toEqual(['1', '2', '3']));
    expect(under.dropped).toBe(0);
    await under.close();
  });

  test('no more of them than there is room for: what is dropped is counted, told, counts as a failure and leaves nothing in Storage', async () => {
    temporal = away;
    const under = mirrorer({ maxWaiting: 1 });
    await under.afterwards(uploaded());
    await under.afterwards(uploaded({ stored: { ...stored, id: 'old-2' } }));
    expect(under.dropped).toBe(1);
    expect(outcomes).toMatchObject([{ tool: 'kimi', arm: 'unified', step: 7, code: 'mirror_dropped' }]);
    expect(troubles).toContainEqual(expect.objectContaining({ code: 'mirror_dropped' }));
    await vi.waitFor(() => expect([...laid]).toEqual(['bucket/staging/0']));
    await under.close();
    expect(under.dropped).toBe(2);
    // What waited until the stop, too.
    expect(laid.size).toBe(0);
    expect(outcomes).toHaveLength(2);
  });
});

test('a backlog that is closed tries once more what waits, and says what it could not do', async () => {
  let tries = 0;
  const backlog = createBacklog({ firstRetryMs: 60_000 });
  backlog.add(async () => {
    tries += 1;
    if (tries === 1) throw away;
  });
  await vi.waitFor(() => expect(tries).toBe(1));
  await backlog.close();
  expect([tries, backlog.dropped]).toEqual([2, 0]);
});

describe('A mirror that failed is tried again', () => {
  const plan = { firstMs: 1_000, longestMs: 60_000, giveUpAfterMs: 3_600_000 };
  const delay = (error: ConstructorParameters<typeof UploadError>[1] | Error, attempts = 1, nowMs = 0) =>
    retryDelayMs(
      plan,
      { attempts, begunAtMs: 0 },
      error instanceof UploadError || error instanceof ValidationError || error instanceof FileNotFoundError
        ? error
        : new UploadError('x', { code: 'x' }),
      nowMs,
    );
  test('later each time, up to a bound, also where a provider says that it cannot help', () => {
    expect([1, 2, 3, 7, 60].map((attempts) => delay(new Error(), attempts))).toEqual([1_000, 2_000, 4_000, 60_000, 60_000]);
  });
  test('until it has gone on for too long', () => {
    expect(delay(new Error(), 9, 3_539_000)).toBe(60_000);
    expect(delay(new Error(), 9, 3_541_000)).toBeNull();
  });
  test('never where the file itself is refused, and twice where it is gone, because its deletion may be on its way', () => {
    expect(delay(new ValidationError('x', { code: 'file_too_large' }))).toBeNull();
    const gone = new FileNotFoundError('x', { code: 'not_found' });
    expect([1, 2, 3].map((attempts) => delay(gone, attempts))).toEqual([1_000, 2_000, null]);
  });
});
