import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planRollout } from '../../src/client/rollout-client.ts';
import { loadConfig, settingsOfTool } from '../../src/config/index.ts';
import { watchState } from '../../src/facade/state-watcher.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'cutover-tools-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));
const load = (env: Record<string, string> = {}) => loadConfig({ env, cwd });

describe('the tools', () => {
  it('are the three that ship where nothing is said, each off and with no share', () => {
    expect(load().migration.tools).toEqual({
      kimi: { enabled: false, share: 0, switch: 'ENABLE_KIMI_MIGRATION' },
      smart_handler: { enabled: false, share: 0, switch: 'ENABLE_SMART_HANDLER_MIGRATION' },
      supabase: { enabled: false, share: 0, switch: 'ENABLE_SUPABASE_MIGRATION' },
    });
  });

  it('are also those that CUTOVER_TOOLS names, each with a switch and a share of its own', () => {
    const { migration, warnings, inForce } = load({
      CUTOVER_TOOLS: 'avatars, invoice_2, kimi',
      ENABLE_AVATARS_MIGRATION: 'true',
      AVATARS_ROLLOUT_PERCENTAGE: '12.5',
    });
    expect(Object.keys(migration.tools)).toEqual(['kimi', 'smart_handler', 'supabase', 'avatars', 'invoice_2']);
    expect(migration.tools.avatars).toEqual({ enabled: true, share: 12.5, switch: 'ENABLE_AVATARS_MIGRATION' });
    expect(migration.tools.invoice_2).toEqual({ enabled: false, share: 0, switch: 'ENABLE_INVOICE_2_MIGRATION' });
    expect(warnings).toEqual([]);
    expect(inForce.find(({ name }) => name === 'AVATARS_ROLLOUT_PERCENTAGE')).toMatchObject({ value: '12.5', section: 'Migration' });
  });

  it('can be named in .env, as every variable', () => {
    writeFileSync(join(cwd, '.env'), 'CUTOVER_TOOLS=avatars\n');
    expect(load({ AVATARS_ROLLOUT_PERCENTAGE: '3' }).migration.tools.avatars?.share).toBe(3);
    expect(Object.keys(load({ CUTOVER_TOOLS: '' }).migration.tools)).not.toContain('avatars');
  });

  it.each(['Avatars', '2nd', 'a b', 'a-b', 'a,,b', ','])('have plain names: %j is refused', (given) => {
    expect(() => load({ CUTOVER_TOOLS: given })).toThrow(
      `CUTOVER_TOOLS is ${JSON.stringify(given)} and must be names of tools separated by commas`,
    );
  });

  it('have their variables checked like all others', () => {
    expect(() => load({ CUTOVER_TOOLS: 'avatars', AVATARS_ROLLOUT_PERCENTAGE: '101' })).toThrow(
      'AVATARS_ROLLOUT_PERCENTAGE is "101" and must be a number from 0 to 100',
    );
  });

  it('are missed where a variable of one is set that nobody named', () => {
    expect(load({ ENABLE_AVATARS_MIGRATION: 'true' }).warnings).toEqual([
      'ENABLE_AVATARS_MIGRATION (the environment) is not a variable of cutover: there is no tool avatars, unless CUTOVER_TOOLS names it',
    ]);
    expect(load({ CUTOVER_TOOLS: 'avatars', ENABLE_AVATRAS_MIGRATION: 'true' }).warnings[0]).toContain(
      'did you mean ENABLE_AVATARS_MIGRATION?',
    );
  });
});

describe('a tool that was configured', () => {
  const on = { ENABLE_UNIFIED_MANAGER: 'true', CUTOVER_TOOLS: 'avatars', ENABLE_AVATARS_MIGRATION: 'true' };

  it('can be rolled out, and one that was not is refused with those there are', () => {
    expect(planRollout(load(on), { tool: 'avatars', by: 'a test' }).tool).toBe('avatars');
    expect(() => planRollout(load(), { tool: 'avatars', by: 'a test' })).toThrow(
      'There is no tool "avatars"; there are: kimi, smart_handler, supabase. CUTOVER_TOOLS adds others',
    );
    expect(() => planRollout(load({ CUTOVER_TOOLS: 'avatars' }), { tool: 'avatars', by: 'a test' })).toThrow(
      'ENABLE_UNIFIED_MANAGER and ENABLE_AVATARS_MIGRATION are off',
    );
  });

  it('has no settings by the name of something that every object has', () => {
    expect(() => settingsOfTool(load().migration, 'constructor')).toThrow('There is no tool "constructor"');
  });

  it('has its share in the facade', async () => {
    const state = watchState({
      ledger: { facadeState: async () => ({ rollouts: [], settings: {} }) },
      defaults: load({ ...on, AVATARS_ROLLOUT_PERCENTAGE: '7' }).migration,
    });
    await state.ready();
    expect(state.routing('avatars')).toMatchObject({ master: true, tool: true, share: 7 });
    state.close();
  });
});
