import { describe, expect, it } from 'vitest';
import type { RolloutEvent } from '../../src/ledger/rollout-ledger.ts';
import { historyRows } from '../../src/manager/rollout-text.ts';

const event = (id: number, decision: string, more: Partial<RolloutEvent> = {}): RolloutEvent => ({
  ...{ id, tool: 'kimi', at: `2026-11-26T00:00:0${id}Z`, decision, decidedBy: 'the judge', reason: `reason ${id}` },
  ...{ stageBefore: 'live', stageAfter: 'live', shareBefore: 1, shareAfter: 1, step: 0, workflowId: null, evidence: {} },
  ...more,
});

describe('The history of a rollout', () => {
  it('has one row for the holds of a step that follow one another, since the first and with the reason of the last', () => {
    const events = [event(1, 'started'), event(2, 'held'), event(3, 'held'), event(4, 'held'), event(5, 'went_on', { step: 1 })];
    expect(historyRows(events).map(([at, decision, , , , reason]) => [at, decision, reason])).toEqual([
      ['2026-11-26T00:00:01Z', 'started', 'reason 1'],
      ['2026-11-26T00:00:02Z', 'held', 'reason 4 (the last of 3)'],
      ['2026-11-26T00:00:05Z', 'went on', 'reason 5'],
    ]);
  });
  it('keeps holds apart that something came between, or that are of different steps', () => {
    const events = [event(1, 'held'), event(2, 'paused'), event(3, 'held'), event(4, 'held', { step: 1 })];
    expect(historyRows(events).map(([, , , , , reason]) => reason)).toEqual(['reason 1', 'reason 2', 'reason 3', 'reason 4']);
  });
});
