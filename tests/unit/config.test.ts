import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { ConfigError, concerns, formatDotenv, infoOf, loadConfig, MASK, stackEnvPath } from '../../src/config/index.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'cutover-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const load = (env: Record<string, string> = {}) => loadConfig({ env, cwd });
const dotenv = (text: string) => writeFileSync(join(cwd, '.env'), text);
function stackWrote(values: Record<string, string>, stateDir = join(cwd, '.cutover')): void {
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(stackEnvPath(stateDir), formatDotenv(values));
}
function problemsOf(env: Record<string, string>): ConfigError['problems'] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const EMBEDDED = {
  TEMPORAL_ADDRESS: '127.0.0.1:4001',
  TEMPORAL_UI_URL: 'http://127.0.0.1:4002',
  SUPABASE_URL: 'http://127.0.0.1:4003',
  SUPABASE_SECRET_KEY: 'embedded-key',
};

describe('the configuration', () => {
  it('has a default for everything, and knows no server until one is set or started', () => {
    const config = load();
    expect(config.temporal).toMatchObject({ address: null, namespace: 'default', taskQueue: 'cutover', tls: false, embedded: false });
    expect(config.supabase).toMatchObject({ url: null, secretKey: null, bucket: 'cutover', embedded: false });
    expect(config.files).toMatchObject({
      maxFileBytes: 512 * 1024 * 1024,
      allowedExtensions: null,
      idleTimeoutMs: 30_000,
      onDuplicate: 'reuse',
    });
    expect(config.stateDir).toBe(join(cwd, '.cutover'));
    expect(config.inForce.every(({ origin }) => origin === 'default')).toBe(true);
  });

  it('takes the environment before .env, .env before what `cutover up` wrote, and says where each value came from', () => {
    stackWrote({ ...EMBEDDED, SUPABASE_BUCKET: 'from-stack', CUTOVER_LOG_LEVEL: 'warn', MAX_RETRY_ATTEMPTS: '5' });
    dotenv('SUPABASE_BUCKET=from-file\nCUTOVER_LOG_LEVEL=error\n');
    const config = load({ SUPABASE_BUCKET: 'from-env' });
    expect([config.supabase.bucket, config.log.level, config.operations.maxRetryAttempts]).toEqual(['from-env', 'error', 5]);
    const origins = Object.fromEntries(config.inForce.map(({ name, origin }) => [name, origin]));
    expect(origins).toMatchObject({
      SUPABASE_BUCKET: 'environment',
      CUTOVER_LOG_LEVEL: 'file',
      MAX_RETRY_ATTEMPTS: 'stack',
      TEMPORAL_NAMESPACE: 'default',
    });
  });

  it('finds the stack of another state folder', () => {
    stackWrote(EMBEDDED, join(cwd, 'elsewhere'));
    expect(load().temporal.address).toBeNull();
    expect(load({ CUTOVER_STATE_DIR: 'elsewhere' }).temporal.address).toBe('127.0.0.1:4001');
  });

  it('takes an empty value as not set, also over a weaker layer', () => {
    dotenv('SUPABASE_BUCKET=from-file\n');
    expect(load({ SUPABASE_BUCKET: '' }).supabase.bucket).toBe('cutover');
  });

  it('reports every problem at once, with the variable, the value it had and what is allowed', () => {
    const problems = problemsOf({
      MAX_RETRY_ATTEMPTS: '11',
      TEMPORAL_ADDRESS: 'http://x:7233',
      CUTOVER_DEBUG: 'maybe',
      ALLOWED_EXTENSIONS: 'pdf,,doc',
    });
    expect(Object.fromEntries(problems.map(({ variable, value, message }) => [variable, [value, message]]))).toEqual({
      MAX_RETRY_ATTEMPTS: ['11', 'must be a whole number from 0 to 10'],
      TEMPORAL_ADDRESS: ['http://x:7233', 'must be HOST:PORT without a scheme, such as 127.0.0.1:7233'],
      CUTOVER_DEBUG: ['maybe', 'must be true or false (also 1/0, yes/no, on/off)'],
      ALLOWED_EXTENSIONS: ['pdf,,doc', 'must be extensions separated by commas, such as pdf,tar.gz, or all'],
    });
  });

  it('never shows a secret, neither in force nor in a problem', () => {
    const config = load({ SUPABASE_URL: 'https://x.supabase.co', SUPABASE_SECRET_KEY: 'very-secret', TEMPORAL_API_KEY: 'also-secret' });
    expect(config.inForce.find(({ name }) => name === 'SUPABASE_SECRET_KEY')?.value).toBe(MASK);
    expect(JSON.stringify(config.inForce)).not.toMatch(/very-secret|also-secret/);
  });

  it('cannot be changed after it was loaded, at any depth', () => {
    const config = load({ ALLOWED_EXTENSIONS: '.PDF, Tar.gz' });
    expect(config.files.allowedExtensions).toEqual(['pdf', 'tar.gz']);
    expect(() => (config.files.allowedExtensions as string[]).push('exe')).toThrow(TypeError);
    expect(() => Object.assign(config.temporal, { address: 'x:1' })).toThrow(TypeError);
  });

  it.each(['TOOL', 'DAEMON', 'SHIM', 'CLIENT'])(
    'derives the time limits from the innermost one, and %s may be set where the order holds',
    (layer) => {
      const set = { TOOL: 20, DAEMON: 80, SHIM: 100, CLIENT: 200 }[layer];
      const { toolMs, daemonMs, shimMs, clientMs } = load({ [`${layer}_TIMEOUT_SECONDS`]: String(set) }).operations;
      expect([toolMs, daemonMs, shimMs, clientMs]).toContain((set ?? 0) * 1000);
      expect([toolMs, daemonMs, shimMs, clientMs]).toEqual([toolMs, daemonMs, shimMs, clientMs].toSorted((a, b) => a - b));
    },
  );

  it('refuses time limits of which an outer one would end before an inner one', () => {
    expect(problemsOf({ TOOL_TIMEOUT_SECONDS: '30', DAEMON_TIMEOUT_SECONDS: '30' })).toEqual([
      {
        variable: 'DAEMON_TIMEOUT_SECONDS',
        value: '30',
        message: 'must be more than TOOL_TIMEOUT_SECONDS, which is 30',
        where: 'the environment',
      },
    ]);
  });

  it('wants the certificate and its key together', () => {
    expect(problemsOf({ TEMPORAL_ADDRESS: 'x:7233', TEMPORAL_TLS_CLIENT_CERT_PATH: 'c.pem' })[0]?.variable).toBe(
      'TEMPORAL_TLS_CLIENT_KEY_PATH',
    );
  });

  it('warns of a name that is close to a variable, and leaves the rest of the environment alone', () => {
    const { warnings } = load({ SUPABASE_BUKET: 'x', CUTOVER_NONSENSE: '1', SUPABASE_ANON_KEY: 'y', PATH: '/bin' });
    expect(warnings).toEqual([
      'SUPABASE_BUKET (the environment) is not a variable of cutover: did you mean SUPABASE_BUCKET?',
      'CUTOVER_NONSENSE (the environment) is not a variable of cutover',
    ]);
  });

  it('names a .env that is there and cannot be read', () => {
    mkdirSync(join(cwd, '.env'));
    expect(problemsOf({})[0]?.message).toContain(`${join(cwd, '.env')} could not be read`);
    chmodSync(join(cwd, '.env'), 0o755);
  });
});

describe('a server and its credentials', () => {
  it('stay together: the embedded key never goes to a URL that somebody set', () => {
    stackWrote(EMBEDDED);
    expect(problemsOf({ SUPABASE_URL: 'https://x.supabase.co' })).toEqual([
      { variable: 'SUPABASE_SECRET_KEY', value: null, message: 'must be set in the environment, where SUPABASE_URL is', where: null },
    ]);
    expect(load({ SUPABASE_URL: 'https://x.supabase.co', SUPABASE_SERVICE_ROLE_KEY: 'theirs' }).supabase).toMatchObject({
      secretKey: 'theirs',
      embedded: false,
    });
  });

  it('stay together: the link to the embedded UI is not printed for another Temporal', () => {
    stackWrote(EMBEDDED);
    expect(load().temporal).toMatchObject({ embedded: true, uiUrl: 'http://127.0.0.1:4002' });
    expect(load({ TEMPORAL_ADDRESS: 'cloud.example:7233' }).temporal).toMatchObject({ embedded: false, uiUrl: null });
  });

  it('stay together: a key that was set without a URL is not sent to the embedded server, and a warning says so', () => {
    stackWrote(EMBEDDED);
    const config = load({ SUPABASE_SERVICE_ROLE_KEY: 'for another project', TEMPORAL_API_KEY: 'cloud' });
    expect(config.supabase).toMatchObject({ secretKey: 'embedded-key', embedded: true });
    expect(config.temporal).toMatchObject({ apiKey: null, tls: false });
    expect(config.warnings).toHaveLength(2);
    expect(load({ SUPABASE_SECRET_KEY: '' }).supabase.secretKey).toBe('embedded-key');
  });

  it('may be split over .env and the environment only so that the credential is in the stronger one', () => {
    dotenv('SUPABASE_URL=https://x.supabase.co\n');
    expect(load({ SUPABASE_SECRET_KEY: 'k' }).supabase.secretKey).toBe('k');
    dotenv('SUPABASE_SECRET_KEY=k\n');
    expect(problemsOf({ SUPABASE_URL: 'https://x.supabase.co' })[0]).toMatchObject({
      variable: 'SUPABASE_SECRET_KEY',
      where: join(cwd, '.env'),
    });
  });

  it('turn TLS on where an API key is given, unless it was turned off', () => {
    const cloud = { TEMPORAL_ADDRESS: 'a.b.tmprl.cloud:7233', TEMPORAL_API_KEY: 'k' };
    expect(load(cloud).temporal.tls).toBe(true);
    expect(load({ ...cloud, TEMPORAL_TLS: 'false' }).temporal.tls).toBe(false);
  });
});

describe('.env.example', () => {
  const lines = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8').split('\n');
  const listed = new Map(
    lines.map((line) => /^# ([A-Z0-9_]+)=(.*)$/.exec(line)).flatMap((found) => (found === null ? [] : [[found[1], found[2]] as const])),
  );

  it('lists every variable that is read, with its default, and no other', () => {
    const read = Object.values(concerns({ env: {}, cwd: '/' })).flatMap(({ variables }) =>
      Object.entries(variables.shape).map(([name, schema]) => [name, infoOf(schema as z.ZodType).shown] as const),
    );
    expect([...listed]).toEqual(read);
  });

  it('has all of them switched off, so that copying it changes nothing', () => {
    writeFileSync(join(cwd, '.env'), lines.join('\n'));
    expect(load().inForce.every(({ origin }) => origin === 'default')).toBe(true);
  });

  it('shows defaults that are accepted when they are switched on', () => {
    const plain = [...listed].filter(([, shown]) => shown !== undefined && shown !== '' && !shown.includes('×'));
    const on = load(Object.fromEntries(plain) as Record<string, string>);
    const off = load();
    expect({ ...on, inForce: [], stack: null }).toEqual({ ...off, inForce: [], stack: null });
  });
});
