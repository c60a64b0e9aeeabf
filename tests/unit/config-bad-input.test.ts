import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { ConfigError, concerns, infoOf, loadConfig, MASK, type Problem } from '../../src/config/index.ts';

const cwd = mkdtempSync(join(tmpdir(), 'cutover-bad-input-'));
afterAll(() => rmSync(cwd, { recursive: true }));

/** One more tool, so that its variables are looked at like the others. */
const TOOLS = { CUTOVER_TOOLS: 'avatars' };
/** A URL of Supabase without its key is a problem of its own. */
const KEY = { SUPABASE_SECRET_KEY: 'k' };
const load = (env: Record<string, string>) => loadConfig({ env: { ...TOOLS, ...env }, cwd });
function errorOf(env: Record<string, string>): ConfigError {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error(`Nothing was wrong with ${JSON.stringify(env)}`);
}

const VARIABLES = Object.values(concerns({ env: {}, cwd }, ['kimi', 'smart_handler', 'supabase', 'avatars'])).flatMap(({ variables }) =>
  Object.entries(variables.shape).map(([name, schema]) => ({ name, schema: schema as z.ZodType, ...infoOf(schema as z.ZodType) })),
);

/** Any text is good for these. */
const TEXTS = VARIABLES.filter(({ schema }) => schema.safeParse('x, y ?://').success).map(({ name }) => name);
const refused = VARIABLES.filter(({ name }) => !TEXTS.includes(name));

/** What a variable says that it takes, when it gets what it does not. */
function allowed({ schema }: { schema: z.ZodType }): string {
  const { success, error } = schema.safeParse('x, y ?://');
  if (success) throw new Error('it takes everything');
  return error.issues[0]?.message ?? '';
}
const ranges = refused.flatMap((variable) => {
  const [, whole, min, max] = /^must be a (whole )?number from (\S+) to (\S+)$/.exec(allowed(variable)) ?? [];
  return min === undefined || max === undefined ? [] : [{ name: variable.name, whole: whole !== undefined, min, max }];
});

describe('every variable', () => {
  it('is either checked or one of these, for which any text is good', () => {
    expect(TEXTS.toSorted()).toEqual(
      [
        'TEMPORAL_NAMESPACE',
        'TEMPORAL_TASK_QUEUE',
        'TEMPORAL_API_KEY',
        'TEMPORAL_TLS_CLIENT_CERT_PATH',
        'TEMPORAL_TLS_CLIENT_KEY_PATH',
        'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
        'TEMPORAL_TLS_SERVER_NAME',
        'SUPABASE_SECRET_KEY',
        'SUPABASE_BUCKET',
        'KIMI_API_KEY',
        'GLM_API_KEY',
        'OPENAI_API_KEY',
        'ANTHROPIC_API_KEY',
        'GEMINI_API_KEY',
        'S3_BUCKET',
        'S3_REGION',
        'S3_ACCESS_KEY_ID',
        'S3_SECRET_ACCESS_KEY',
        'S3_SESSION_TOKEN',
        'LEGACY_TOKEN',
        'MCP_CONFIG',
        'LEGACY_BUCKET',
        'CUTOVER_API_TOKEN',
        'CUTOVER_API_HOST',
        'CUTOVER_STAGING_DIR',
        'CUTOVER_STATE_DIR',
        'CUTOVER_CACHE_DIR',
        'NO_COLOR',
      ].toSorted(),
    );
  });

  it.each(refused)('$name: a wrong type is refused with what is allowed', ({ name, secret, schema }) => {
    const [problem, ...others] = errorOf({ ...KEY, [name]: 'x, y ?://' }).problems;
    expect(others).toEqual([]);
    expect(problem).toEqual({
      variable: name,
      value: secret ? MASK : 'x, y ?://',
      message: allowed({ schema }),
      where: 'the environment',
    } satisfies Problem);
  });

  it.each(ranges)('$name: the ends $min and $max that its message names are the ends that are in force', ({ name, whole, min, max }) => {
    const { schema } = VARIABLES.find((variable) => variable.name === name) as { schema: z.ZodType };
    const [low, high] = [Number(min), Number(max)];
    // A whole number beyond 2^53 is not told from its neighbours.
    const outside = whole ? [low - 1, high + Math.max(1, high * 2 ** -52)] : [low - 1e-9, high * (1 + 1e-9)];
    for (const value of outside) expect(schema.safeParse(String(value)).success, String(value)).toBe(false);
    for (const value of [min, max]) expect(schema.safeParse(value).success, value).toBe(true);
    if (whole) expect(schema.safeParse(`${min}.5`).success).toBe(false);
  });

  it.each(VARIABLES)('$name: empty counts as not set', ({ name }) => {
    const { inForce: _, ...config } = load({});
    for (const empty of ['', '  ']) {
      const { inForce: __, ...same } = loadConfig({ env: { ...TOOLS, ...(name === 'CUTOVER_TOOLS' ? {} : { [name]: empty }) }, cwd });
      expect(same).toEqual(config);
    }
  });

  it.each(VARIABLES)('$name: a slip in the name is warned of, with the right one', ({ name }) => {
    const slips = [name.slice(0, -1), `${name}S`, name.replace('_', '__'), name.replace(/(.)_(.)/, '$2_$1')].filter(
      (slip) => !VARIABLES.some((variable) => variable.name === slip || variable.alias === slip),
    );
    expect(slips.length).toBeGreaterThan(0);
    for (const slip of slips)
      expect(load({ [slip]: '1' }).warnings).toEqual([`${slip} (the environment) is not a variable of cutover: did you mean ${name}?`]);
  });
});

describe('several problems', () => {
  it('are all in one message, one line each, whatever they are', () => {
    const { problems, message } = errorOf({ ...KEY, ...Object.fromEntries(refused.map(({ name }) => [name, 'x, y ?://'])) });
    // The tools that CUTOVER_TOOLS would have named are not known while it is wrong.
    const expected = refused.map(({ name }) => name).filter((name) => !name.includes('AVATARS'));
    expect(problems.map(({ variable }) => variable).toSorted()).toEqual(expected.toSorted());
    expect(message.split('\n')).toHaveLength(problems.length + 1);
  });

  it('of one variable do not hide those between others', () => {
    const { problems } = errorOf({
      MAX_RETRY_ATTEMPTS: '11',
      DAEMON_TIMEOUT_SECONDS: '10',
      SHADOW_MODE_SAMPLE_RATE: '2',
      SHADOW_MODE_DURATION_MINUTES: '1',
      SHADOW_MODE_MAX_SAMPLES_PER_MINUTE: '10',
      ROLLOUT_ALPHA: 'small',
      ROLLOUT_STEPS: '10,1',
      RETENTION_DAYS: 'many',
      RETENTION_QUOTA_TARGET: '0.95',
    });
    expect(problems.map(({ variable }) => variable).toSorted()).toEqual([
      'DAEMON_TIMEOUT_SECONDS',
      'MAX_RETRY_ATTEMPTS',
      'RETENTION_DAYS',
      'RETENTION_QUOTA_TARGET',
      'ROLLOUT_ALPHA',
      'ROLLOUT_STEPS',
      'SHADOW_MODE_MIN_SAMPLES',
      'SHADOW_MODE_SAMPLE_RATE',
    ]);
  });

  it('between variables are not invented where one of them is wrong itself', () => {
    expect(errorOf({ TOOL_TIMEOUT_SECONDS: 'ten', DAEMON_TIMEOUT_SECONDS: '20' }).problems.map(({ variable }) => variable)).toEqual([
      'TOOL_TIMEOUT_SECONDS',
    ]);
    expect(
      errorOf({ SHADOW_MODE_DURATION_MINUTES: '1', SHADOW_MODE_MAX_SAMPLES_PER_MINUTE: 'few' }).problems.map(({ variable }) => variable),
    ).toEqual(['SHADOW_MODE_MAX_SAMPLES_PER_MINUTE']);
    expect(errorOf({ RETENTION_QUOTA_START: 'most', RETENTION_QUOTA_TARGET: '0.95' }).problems.map(({ variable }) => variable)).toEqual([
      'RETENTION_QUOTA_START',
    ]);
  });
});

describe('the samples of shadowing', () => {
  it('cannot be more at least than its rate gives while it lasts', () => {
    const [problem] = errorOf({
      SHADOW_MODE_MIN_SAMPLES: '101',
      SHADOW_MODE_MAX_SAMPLES_PER_MINUTE: '10',
      SHADOW_MODE_DURATION_MINUTES: '10',
    }).problems;
    expect(problem).toMatchObject({
      variable: 'SHADOW_MODE_MIN_SAMPLES',
      value: '101',
      message:
        'must not be more than the 100 comparisons that there can be: SHADOW_MODE_MAX_SAMPLES_PER_MINUTE is 10, SHADOW_MODE_DURATION_MINUTES is 10',
    });
  });

  it('may be just as many, and any number where shadowing does not end', () => {
    const rate = { SHADOW_MODE_MAX_SAMPLES_PER_MINUTE: '10' };
    expect(load({ ...rate, SHADOW_MODE_MIN_SAMPLES: '100', SHADOW_MODE_DURATION_MINUTES: '10' }).migration.shadow.minSamples).toBe(100);
    expect(load({ ...rate, SHADOW_MODE_MIN_SAMPLES: '100000', SHADOW_MODE_DURATION_MINUTES: '0' }).migration.shadow.minSamples).toBe(
      100_000,
    );
  });
});
