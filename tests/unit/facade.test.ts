import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileNotFoundError, LedgerError, ProviderUnavailableError, ValidationError } from '../../src/domain/errors.ts';
import type { Outcome, OutcomeCounts } from '../../src/domain/outcome-counts.ts';
import { createFacade, type Done, type FacadeOptions } from '../../src/facade/facade.ts';
import { recordOutcomes } from '../../src/facade/outcome-recorder.ts';
import { watchState } from '../../src/facade/state-watcher.ts';
import { StillRunningError } from '../../src/facade/still-running.ts';
import type { FacadeState } from '../../src/ledger/rollout-ledger.ts';
import { createMemoryFileService, type MemoryFileService } from '../support/memory-file-service.ts';

const KIMI = { tool: 'kimi', userId: 'ann' };
const hello = { bytes: Buffer.from('hello'), name: 'hello.txt' };
let legacy: MemoryFileService;
let unified: MemoryFileService;
let seen: Outcome[];
let routing: ReturnType<FacadeOptions['state']['routing']>;
beforeEach(() => {
  legacy = createMemoryFileService('old');
  unified = createMemoryFileService('new');
  seen = [];
  routing = { master: true, tool: true, stage: 'live', share: 100, step: 7 };
});
const facade = (more: Partial<FacadeOptions> = {}) =>
  createFacade({
    legacy,
    unified,
    state: {
      routing: () => routing,
      setting: () => undefined,
      onChange: () => () => undefined,
      ready: async () => undefined,
      close: () => undefined,
    },
    outcomes: { record: (outcome) => seen.push(outcome) },
    fallback: true,
    maxFileBytes: 1000,
    knows: async (id) => unified.files.has(id),
    ...more,
  });
const outage = new ProviderUnavailableError('down', { code: 'unavailable', retryable: true });

describe('An upload through the facade', () => {
  test.each([
    [100, 'unified'],
    [0, 'legacy'],
  ] as const)('at %i %% is served by %s, and counted there under the step', async (share, side) => {
    routing = { ...routing, share };
    const file = await facade().upload(hello, KIMI);
    expect(file).toMatchObject({ servedBy: side, fallback: false, name: 'hello.txt', sizeBytes: 5, mimeType: 'text/plain' });
    expect(seen).toMatchObject([{ tool: 'kimi', arm: side, step: 7, code: null }]);
    expect(legacy.uploads.length + unified.uploads.length).toBe(1);
  });

  test('goes to legacy where a switch is off', async () => {
    routing = { ...routing, master: false };
    expect(await facade().upload(hello, KIMI)).toMatchObject({ servedBy: 'legacy' });
  });

  test('is answered by legacy when unified fails, as a success, and counts against unified', async () => {
    unified.failing = outage;
    const file = await facade().upload(hello, KIMI);
    expect(file).toMatchObject({ servedBy: 'legacy', fallback: true, sizeBytes: 5 });
    expect(seen).toMatchObject([
      { arm: 'unified', code: 'unavailable' },
      { arm: 'legacy', code: null },
    ]);
  });

  test('fails as unified did where fallback is off', async () => {
    unified.failing = outage;
    await expect(facade({ fallback: false }).upload(hello, KIMI)).rejects.toBe(outage);
    expect(legacy.uploads).toEqual([]);
  });

  test("that is the caller's mistake is reported, is not retried on legacy, and says nothing about unified", async () => {
    unified.failing = new ValidationError('too large', { code: 'file_too_large' });
    await expect(facade().upload(hello, KIMI)).rejects.toBe(unified.failing);
    expect(legacy.uploads).toEqual([]);
    expect(seen).toEqual([]);
  });

  test('that the caller aborts goes to nobody else and is no failure', async () => {
    const controller = new AbortController();
    const reason = new Error('the user left');
    unified.upload = async () => {
      controller.abort(reason);
      throw reason;
    };
    await expect(facade().upload(hello, { ...KIMI, signal: controller.signal })).rejects.toBe(reason);
    expect([legacy.uploads, seen]).toEqual([[], []]);
  });

  test('carries the operation id, user, purpose and kind of model to the side', async () => {
    const file = await facade().upload(hello, { ...KIMI, purpose: 'extract', model: 'thinking', operationId: 'request-17' });
    expect(file.operationId).toBe('request-17');
    expect(unified.uploads[0]?.context).toMatchObject({ ...KIMI, operationId: 'request-17', purpose: 'extract', model: 'thinking' });
  });

  describe('takes', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'cutover-facade-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));
    const spools = () => readdirSync(tmpdir()).filter((name) => name.startsWith('cutover-spool-'));

    test('a path, which workers may read themselves', async () => {
      const path = join(folder, 'a.pdf');
      writeFileSync(path, 'x');
      expect(await facade().upload({ path }, KIMI)).toMatchObject({ name: 'a.pdf', sizeBytes: 1, mimeType: 'application/pdf' });
      expect(unified.uploads[0]?.file.path).toBe(path);
    });
    test('a stream that can be read once, for both sides, and leaves no copy of it behind', async () => {
      const before = spools();
      unified.failing = outage;
      const stream = (async function* () {
        yield Buffer.from('he');
        yield Buffer.from('llo');
      })();
      const file = await facade().upload({ stream, name: 's.txt' }, KIMI);
      expect(file).toMatchObject({ servedBy: 'legacy', sizeBytes: 5 });
      expect(legacy.files.get(file.id)?.bytes.toString()).toBe('hello');
      expect(spools()).toEqual(before);
    });
    test('no stream that is too long, of which nothing stays behind', async () => {
      const before = spools();
      const stream = (async function* () {
        for (;;) yield Buffer.alloc(600);
      })();
      await expect(facade().upload({ stream, name: 'endless' }, KIMI)).rejects.toMatchObject({ code: 'file_too_large' });
      expect(spools()).toEqual(before);
      expect(unified.uploads).toEqual([]);
    });
    test('no folder', async () => await expect(facade().upload({ path: folder }, KIMI)).rejects.toMatchObject({ code: 'not_a_file' }));
  });

  describe('is followed afterwards', () => {
    const followed = async (change: Partial<typeof routing>): Promise<Done[]> => {
      routing = { ...routing, ...change };
      const done: Done[] = [];
      await facade({ afterwards: async (each) => void done.push(each) }).upload(hello, KIMI);
      await turn();
      return done;
    };
    test('where legacy served a user of a ramp, with what it stored', async () => {
      expect(await followed({ share: 0 })).toMatchObject([
        { servedBy: 'legacy', step: 7, stored: { sizeBytes: 5 }, route: { compares: true } },
      ]);
    });
    test('where both are to write', async () => {
      expect(await followed({ stage: 'dual_write' })).toMatchObject([{ servedBy: 'legacy', route: { writesBoth: true } }]);
      expect(await followed({ stage: 'ramp_down' })).toMatchObject([{ servedBy: 'unified', route: { writesBoth: true } }]);
    });
    test('where legacy failed a user of a ramp, so that its own failures are seen, too', async () => {
      routing = { ...routing, share: 0 };
      legacy.failing = outage;
      const done: Done[] = [];
      await expect(facade({ afterwards: async (each) => void done.push(each) }).upload(hello, KIMI)).rejects.toBe(outage);
      expect(done).toMatchObject([{ servedBy: 'legacy', stored: null, error: outage, fallback: false }]);
    });
    test('where unified goes on although nobody waits for it any more: what becomes of it is told', async () => {
      const late = { idempotencyKey: 'k', file: Promise.resolve(null) };
      unified.failing = new StillRunningError('too slow', late);
      expect(await followed({ share: 100 })).toMatchObject([{ servedBy: 'legacy', fallback: true, late }]);
    });
    test('when a file was deleted', async () => {
      const done: Done[] = [];
      const through = facade({ afterwards: async (each) => void done.push(each) });
      const { id } = await through.upload(hello, KIMI);
      await through.delete(id, KIMI);
      await through.delete(id, KIMI);
      expect(done).toMatchObject([{ operation: 'delete', id, servedBy: 'unified' }]);
    });
    test('not where unified served, nor where everything is off', async () => {
      expect(await followed({ share: 100 })).toEqual([]);
      expect(await followed({ stage: 'off' })).toEqual([]);
    });
    test('without the caller waiting for it or hearing of its errors, and the input stays until it is over', async () => {
      routing = { ...routing, share: 0 };
      const gate = Promise.withResolvers<void>();
      const troubles: unknown[] = [];
      let read = '';
      const stream = (async function* () {
        yield Buffer.from('once');
      })();
      const over = Promise.withResolvers<void>();
      await facade({
        onTrouble: (error) => {
          troubles.push(error);
          over.resolve();
        },
        async afterwards(done) {
          await gate.promise;
          if (done.operation === 'upload') for await (const chunk of done.file.open()) read += Buffer.from(chunk).toString();
          throw new Error('the comparison broke');
        },
      }).upload({ stream, name: 'x' }, KIMI);
      gate.resolve();
      await over.promise;
      expect(read).toBe('once');
      expect(troubles).toMatchObject([{ message: 'the comparison broke' }]);
    });
  });
});

describe('Reading through the facade', () => {
  test('follows the ledger, not the arm: what it does not know is legacy’s', async () => {
    const both = facade();
    const ours = await both.upload(hello, KIMI);
    routing = { ...routing, share: 0 };
    const theirs = await both.upload(hello, KIMI);
    for (const share of [0, 100]) {
      routing = { ...routing, share };
      expect(await both.info(ours.id, KIMI)).toMatchObject({ id: ours.id });
      expect(await both.info(theirs.id, KIMI)).toMatchObject({ id: theirs.id });
      expect((await both.download(theirs.id, KIMI)).sizeBytes).toBe(5);
    }
    expect(await both.delete(theirs.id, KIMI)).toBe(true);
    await expect(both.download(theirs.id, KIMI)).rejects.toBeInstanceOf(FileNotFoundError);
    expect(legacy.files.size + unified.files.size).toBe(1);
  });
  test('lists the files of both sides once each', async () => {
    const both = facade();
    for (const share of [100, 0, 100, 0, 0]) {
      routing = { ...routing, share };
      await both.upload(hello, KIMI);
    }
    const ids: string[] = [];
    for (let after: string | null = null; ; ) {
      const page = await both.list({ after, limit: 2 }, KIMI);
      ids.push(...page.files.map(({ id }) => id));
      after = page.next;
      if (after === null) break;
    }
    expect(ids.toSorted()).toEqual([...legacy.files.keys(), ...unified.files.keys()].toSorted());
  });
});

describe('What is in force', () => {
  const defaults = {
    enabled: true,
    tools: { kimi: { enabled: true, share: 30 }, smart_handler: { enabled: false, share: 0 }, supabase: { enabled: true, share: 0 } },
  };
  const away = async (): Promise<FacadeState> => {
    throw new LedgerError('away', { code: 'unreachable', retryable: true });
  };
  test('is the ledger’s once a rollout was started, else the configuration’s', async () => {
    const rollouts = [{ tool: 'kimi', stage: 'live', share: 10, epoch: 4, status: 'running' } as const];
    const watcher = watchState({ ledger: { facadeState: async () => ({ rollouts, settings: { shadow: { on: true } } }) }, defaults });
    await watcher.ready();
    expect(watcher.routing('kimi')).toEqual({ master: true, tool: true, stage: 'live', share: 10, step: 4 });
    expect(watcher.routing('smart_handler')).toMatchObject({ tool: false, share: 0, step: 0 });
    expect(watcher.routing('unknown')).toMatchObject({ tool: false, share: 0 });
    expect(watcher.setting('shadow')).toEqual({ on: true });
    watcher.close();
  });
  test('is legacy for everybody while the ledger has never answered', async () => {
    const troubles: unknown[] = [];
    const watcher = watchState({ ledger: { facadeState: away }, defaults, onTrouble: (error) => troubles.push(error) });
    expect(watcher.routing('kimi').share).toBe(0);
    await watcher.ready();
    expect(watcher.routing('kimi').share).toBe(0);
    expect(troubles).toHaveLength(1);
    watcher.close();
  });
  test('stays what it was while the ledger is away, and changes when it is back', async () => {
    let answer: () => Promise<FacadeState> = async () => ({
      rollouts: [{ tool: 'kimi', stage: 'live', share: 50, epoch: 1, status: 'running' }],
      settings: {},
    });
    let asked = 0;
    const watcher = watchState({
      ledger: {
        facadeState: () => {
          asked += 1;
          return answer();
        },
      },
      defaults,
      pollMs: 5,
    });
    await watcher.ready();
    answer = away;
    const before = asked;
    await expect.poll(() => asked).toBeGreaterThan(before + 3);
    expect(watcher.routing('kimi').share).toBe(50);
    answer = async () => ({ rollouts: [{ tool: 'kimi', stage: 'live', share: 0, epoch: 1, status: 'rolled_back' }], settings: {} });
    await expect.poll(() => watcher.routing('kimi').share).toBe(0);
    watcher.close();
  });
});

describe('Outcomes', () => {
  const outcome = { tool: 'kimi', arm: 'legacy', step: 1, code: null, ms: 5, atMs: 0 } as const;
  test('are written in batches, each once, also when an answer was lost', async () => {
    const batches = new Map<string, readonly OutcomeCounts[]>();
    let lost = 1;
    const recorder = recordOutcomes({
      ledger: {
        async recordOutcomes(id, rows) {
          const known = batches.has(id);
          batches.set(id, rows);
          if (lost-- > 0) throw new LedgerError('answer lost', { code: 'unreachable', retryable: true });
          return !known;
        },
      },
      flushMs: 60_000,
    });
    for (let at = 0; at < 100; at += 1) recorder.record(outcome);
    await recorder.flush();
    recorder.record(outcome);
    await recorder.close();
    expect([...batches.values()].flat().map(({ count }) => count)).toEqual([100, 1]);
  });
  test('wait in memory, bounded and counted, while the ledger is away', async () => {
    let away = true;
    const written: OutcomeCounts[] = [];
    const recorder = recordOutcomes({
      ledger: {
        async recordOutcomes(_, rows) {
          if (away) throw new LedgerError('away', { code: 'unreachable', retryable: true });
          written.push(...rows);
          return true;
        },
      },
      flushMs: 60_000,
      maxRows: 3,
    });
    for (let minute = 0; minute < 5; minute += 1) recorder.record({ ...outcome, atMs: minute * 60_000 });
    await recorder.flush();
    expect(recorder.dropped).toBe(2);
    away = false;
    await recorder.close();
    expect(written).toHaveLength(3);
  });
});

describe('While the ledger is away', () => {
  const away = new LedgerError('away', { code: 'unreachable', retryable: true });
  const through = () => facade({ knows: () => Promise.reject(away) });
  test('legacy answers for the files that it has', async () => {
    routing = { ...routing, share: 0 };
    const { id } = await facade().upload(hello, KIMI);
    expect(await through().info(id, KIMI)).toMatchObject({ id, sizeBytes: 5 });
    expect((await through().download(id, KIMI)).sizeBytes).toBe(5);
  });
  test('a file that legacy does not have is not said to be gone', async () => {
    const { id } = await facade().upload(hello, KIMI);
    await expect(through().info(id, KIMI)).rejects.toBe(away);
    await expect(through().download(id, KIMI)).rejects.toBe(away);
    await expect(through().delete(id, KIMI)).rejects.toBe(away);
  });
});

test.each(['', 'x'.repeat(101)])('A tool without a name of its own is refused, because nothing could be counted under it', async (tool) => {
  await expect(facade().upload(hello, { ...KIMI, tool })).rejects.toMatchObject({ code: 'unknown_tool' });
});

test('A kind of model that nobody knows is refused before either side is asked', async () => {
  const caller = { ...KIMI, model: 'slow' as 'fast' };
  await expect(facade().upload(hello, caller)).rejects.toMatchObject({ code: 'unknown_model' });
  await expect(facade().download('x', caller)).rejects.toMatchObject({ code: 'unknown_model' });
  expect([...legacy.uploads, ...unified.uploads]).toEqual([]);
});
