import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getStatus, loadConfig, MASK, Status } from '../../src/config/index.ts';
import { type MODEL_KINDS, timeLimitsFor } from '../../src/domain/time-limits.ts';

const load = (env: Record<string, string> = {}) => loadConfig({ env, cwd: join(tmpdir(), 'cutover-no-such-folder') });

describe('the time limits of a kind of model', () => {
  it('are those of SPEC for a standard one, half as long again for one that thinks, and 0.7 of them for a fast one', () => {
    const { operations } = load();
    const of = (kind: (typeof MODEL_KINDS)[number]) => Object.values(timeLimitsFor(operations, operations.multipliers, kind));
    expect(of('standard')).toEqual([30_000, 67_500, 90_000, 112_500]);
    expect(of('thinking')).toEqual([45_000, 101_250, 135_000, 168_750]);
    expect(of('fast')).toEqual([21_000, 47_250, 63_000, 78_750]);
  });

  it('keep their order whatever the multiplier is', () => {
    const limits = { toolMs: 1, daemonMs: 2.25, shimMs: 3, clientMs: 3.75 };
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 100, noNaN: true }), (fast) => {
        const { toolMs, daemonMs, shimMs, clientMs } = timeLimitsFor(limits, { standard: 1, thinking: 1.5, fast }, 'fast');
        return 0 < toolMs && toolMs < daemonMs && daemonMs < shimMs && shimMs < clientMs;
      }),
    );
  });

  it('follow the multipliers that were set', () => {
    const { operations } = load({ THINKING_TIMEOUT_MULTIPLIER: '3', FAST_TIMEOUT_MULTIPLIER: '.5' });
    expect(operations.multipliers).toEqual({ standard: 1, thinking: 3, fast: 0.5 });
  });
});

describe('the status', () => {
  it('says what is switched on and for whom, how long things may take and where files can go', () => {
    const status = getStatus(
      load({
        ENABLE_UNIFIED_MANAGER: 'true',
        ENABLE_KIMI_MIGRATION: 'yes',
        KIMI_ROLLOUT_PERCENTAGE: '2.5',
        CUTOVER_TOOLS: 'avatars',
        KIMI_API_KEY: 'sk-very-secret',
        ALLOWED_EXTENSIONS: 'pdf',
        MCP_MAX_OUTPUT_TOKENS: '9000',
      }),
    );
    expect(status.switches).toEqual({ unifiedManager: true, fallbackToLegacy: true, shadowMode: false });
    expect(status.tools.kimi).toEqual({ enabled: true, share: 2.5, switch: 'ENABLE_KIMI_MIGRATION' });
    expect(Object.keys(status.tools)).toContain('avatars');
    expect(status.timeLimits.thinking.toolMs).toBe(45_000);
    expect(status.providers.kimi).toEqual({
      configured: true,
      address: 'https://api.moonshot.ai/v1',
      secret: MASK,
      maxFileBytes: 100 * 1024 * 1024,
    });
    expect(status.providers.glm).toMatchObject({ configured: false, secret: null });
    expect(Object.keys(status.providers).toSorted()).toEqual(['anthropic', 'gemini', 'glm', 'kimi', 'mcp', 'openai', 's3', 'supabase']);
    expect(status.files.allowedExtensions).toEqual(['pdf']);
    expect(status.mcp).toEqual({ maxPromptBytes: 262_144, maxOutputTokens: 9_000 });
  });

  it('is data that survives JSON and that its schema accepts', () => {
    const status = getStatus(load());
    expect(Status.parse(JSON.parse(JSON.stringify(status)))).toEqual(status);
  });

  it('holds no secret, whichever is set', () => {
    const secrets = {
      TEMPORAL_API_KEY: 'secret-of-temporal',
      TEMPORAL_ADDRESS: 'x:7233',
      SUPABASE_URL: 'https://x.supabase.co',
      SUPABASE_SECRET_KEY: 'secret-of-supabase',
      KIMI_API_KEY: 'secret-of-kimi',
      GLM_API_KEY: 'secret-of-glm',
      OPENAI_API_KEY: 'secret-of-openai',
      ANTHROPIC_API_KEY: 'secret-of-anthropic',
      GEMINI_API_KEY: 'secret-of-gemini',
      S3_BUCKET: 'b',
      S3_ACCESS_KEY_ID: 'a',
      S3_SECRET_ACCESS_KEY: 'secret-of-s3',
      S3_SESSION_TOKEN: 'secret-of-the-session',
    };
    const text = JSON.stringify(getStatus(load(secrets)));
    expect(text).not.toContain('secret-of');
    expect(text.split(MASK)).toHaveLength(10);
  });
});
