import { beforeEach, expect, test } from 'vitest';
import { ProviderUnavailableError, ValidationError } from '../../src/domain/errors.ts';
import { createFacade, type Operation } from '../../src/facade/facade.ts';
import { recordOutcomes } from '../../src/facade/outcome-recorder.ts';
import { createMemoryFileService, type MemoryFileService } from '../support/memory-file-service.ts';

/** What those who count hear of a facade: each side's part in each upload, once. */
let legacy: MemoryFileService;
let unified: MemoryFileService;
let heard: Operation[];
beforeEach(() => {
  legacy = createMemoryFileService('old');
  unified = createMemoryFileService('new');
  heard = [];
});
const upload = (signal?: AbortSignal) =>
  createFacade({
    ...{ legacy, unified, fallback: true, maxFileBytes: 1000 },
    state: {
      routing: () => ({ master: true, tool: true, stage: 'live', share: 100, step: 1 }),
      setting: () => undefined,
      onChange: () => () => undefined,
      ready: async () => undefined,
      close: () => undefined,
    },
    outcomes: { record: () => undefined },
    knows: async () => false,
    onOperation: (operation) => heard.push(operation),
  }).upload(
    { bytes: Buffer.from('hello'), name: 'hello.txt' },
    { tool: 'kimi', userId: 'ann', ...(signal === undefined ? {} : { signal }) },
  );

test('An upload that went well is one success of its side', async () => {
  await upload();
  expect(heard).toEqual([{ tool: 'kimi', arm: 'unified', outcome: 'success' }]);
});

test('One that legacy answered instead is a failure of unified and a fallback of legacy', async () => {
  unified.failing = new ProviderUnavailableError('down', { code: 'unavailable', retryable: true });
  await upload();
  expect(heard.map(({ arm, outcome }) => [arm, outcome])).toEqual([
    ['unified', 'failure'],
    ['legacy', 'fallback'],
  ]);
});

test('A mistake of the caller is refused, and an abort of theirs cancelled: neither is a failure', async () => {
  unified.failing = new ValidationError('too large', { code: 'file_too_large' });
  await expect(upload()).rejects.toBe(unified.failing);
  await expect(upload(AbortSignal.abort())).rejects.toThrow();
  expect(heard.map(({ outcome }) => outcome)).toEqual(['refused', 'cancelled']);
});

test('Outcomes that find no room while the ledger is away are told one by one', async () => {
  let dropped = 0;
  const away = async () => {
    throw new Error('away');
  };
  const recorder = recordOutcomes({ ledger: { recordOutcomes: away }, maxRows: 2, flushMs: 60_000, onDropped: () => (dropped += 1) });
  for (const tool of ['a', 'b', 'c', 'd', 'a']) recorder.record({ tool, arm: 'legacy', step: 0, code: null, ms: 1, atMs: 0 });
  await recorder.close();
  expect([dropped, recorder.dropped]).toEqual([2, 2]);
});
