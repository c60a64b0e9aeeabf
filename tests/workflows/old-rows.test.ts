import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type RunningFacade, startFacade } from '../support/facade.ts';
import { type Running, runOn } from '../support/running.ts';

/** Rows that the old path has written, once their hashes are known: whose a file is must not change by that. */

const TOOL = 'old_rows';
const SWITCHES = { ENABLE_UNIFIED_MANAGER: 'true', CUTOVER_TOOLS: TOOL, ENABLE_OLD_ROWS_MIGRATION: 'true' };
let cutover: Running;
let running: RunningFacade;
let share: number;
beforeAll(async () => {
  cutover = await runOn({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') }, SWITCHES);
  running = await startFacade(cutover, {
    state: {
      routing: () => ({ master: true, tool: true, stage: 'live', share, step: 0 }),
      setting: () => undefined,
      onChange: () => () => undefined,
      ready: async () => undefined,
      close: () => undefined,
    },
  });
});
afterAll(async () => {
  await running?.close();
  await cutover?.stop();
});

const by = (userId: string) => ({ tool: TOOL, userId });
const upload = async (at: number, text: string, userId: string) => {
  share = at;
  return await running.facade.upload({ bytes: Buffer.from(text), name: 'a.txt' }, by(userId));
};
async function textOf(id: string, userId: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await running.facade.download(id, by(userId))).chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
const hash = (text: string) => createHash('sha256').update(text).digest('hex');

describe('A file of the old path', () => {
  test('stays its owner’s when its hash becomes known, also when somebody else uploads the same by the new path', async () => {
    const text = `the same ${randomUUID()}`;
    const [ann, ben] = [`ann-${randomUUID()}`, `ben-${randomUUID()}`];
    const old = await upload(0, text, ann);
    await cutover.stores.maintenance.recordHash(old.id, hash(text), text.length);
    const fresh = await upload(100, text, ben);
    expect([old.servedBy, fresh.servedBy, fresh.id === old.id]).toEqual(['legacy', 'unified', false]);
    expect([await textOf(old.id, ann), await textOf(fresh.id, ben)]).toEqual([text, text]);
    expect((await running.facade.list({}, by(ben))).files).toMatchObject([{ id: fresh.id }]);

    // Deleting twice reaches nobody else's.
    expect([await running.facade.delete(fresh.id, by(ben)), await running.facade.delete(fresh.id, by(ben))]).toEqual([true, false]);
    expect(await running.facade.delete(old.id, by(ben))).toBe(false);
    expect(await textOf(old.id, ann)).toBe(text);
    expect(await running.facade.delete(old.id, by(ann))).toBe(true);
    expect(await running.facade.info(old.id, by(ann))).toBeNull();
  });

  test('stays readable and can be deleted when the new path had its content first', async () => {
    const text = `first by the new path ${randomUUID()}`;
    const [ann, ben] = [`ann-${randomUUID()}`, `ben-${randomUUID()}`];
    const fresh = await upload(100, text, ben);
    const old = await upload(0, text, ann);
    await cutover.stores.maintenance.recordHash(old.id, hash(text), text.length);
    expect(await textOf(old.id, ann)).toBe(text);
    expect(await running.facade.delete(old.id, by(ann))).toBe(true);
    expect(await textOf(fresh.id, ben)).toBe(text);
  });
});
