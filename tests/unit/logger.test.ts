import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { secretValues } from '../../src/config/index.ts';
import type { LoggerOptions } from '../../src/observability/logger.ts';
import { scratchFolder } from '../support/stack.ts';

const folder = scratchFolder('logger');
afterAll(() => folder.remove());
const module = fileURLToPath(new URL('../../src/observability/logger.ts', import.meta.url));

/** What a process that logs `line` writes to stderr and stdout. */
function logged(options: LoggerOptions, line: string, level = 'info'): { stderr: string; stdout: string } {
  const script = join(folder.path, 'script.mjs');
  writeFileSync(
    script,
    `import { createLogger } from ${JSON.stringify(module)};\nconst log = createLogger('test', '${level}', ${JSON.stringify(options)});\n${line}\n`,
  );
  return spawnSync(process.execPath, [script], { encoding: 'utf8' });
}
const lines = (stderr: string) =>
  stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('A log is JSON, a line each, on stderr alone', () => {
  const { stderr, stdout } = logged(
    {},
    "log.info({ provider: 's3' }, 'one'); log.child({ operationId: 'x' }).warn('two'); log.debug('none')",
  );
  expect(stdout).toBe('');
  expect(lines(stderr)).toMatchObject([
    { level: 30, service: 'test', provider: 's3', msg: 'one', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
    { level: 40, operationId: 'x', msg: 'two' },
  ]);
});

test('On a terminal it is for people: without what every line has, with colours only where they are wanted', () => {
  const line = "log.info({ provider: 's3' }, 'stored')";
  const plain = logged({ terminal: true }, line).stderr;
  expect(plain).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: stored \{"provider":"s3"\}\n$/);
  const esc = String.fromCharCode(27);
  expect([plain.includes(esc), logged({ terminal: true, color: true }, line).stderr.includes(esc)]).toEqual([false, true]);
});

test('An error is shown with its code and where it happened', () => {
  const { stderr } = logged({}, "log.error({ error: Object.assign(new Error('broken'), { code: 'c' }) }, 'failed')");
  expect(lines(stderr)).toMatchObject([
    { error: { type: 'Error', message: 'broken', code: 'c', stack: expect.stringContaining('script.mjs') } },
  ]);
});

test.each([{ terminal: true }, {}])('A secret is in no line (%o), whether by name, by form or by value', (options) => {
  const secret = 'cNr/Qz7+Vx4k"J2';
  const { stderr } = logged(
    { ...options, secrets: [secret] },
    `const s = ${JSON.stringify(secret)};
     log.info({ apiKey: 'by-name', request: { headers: { authorization: 'by-name' } } }, 'names');
     log.info('by form Bearer abcdef123456 and sb_secret_form');
     log.info({ a: { b: s } }, 'by value ' + s);
     log.error({ error: new Error('with ' + s, { cause: new Error(s) }) }, 'as an error');`,
  );
  expect(stderr).toContain('as an error');
  for (const seen of ['by-name', 'abcdef123456', 'sb_secret_form', 'cNr/Qz7', 'Vx4k']) expect(stderr).not.toContain(seen);
});

test('The secrets of a configuration are known from every layer, also where it is wrong and under an old name', () => {
  writeFileSync(join(folder.path, '.env'), 'KIMI_API_KEY=of-the-file\n');
  const env = { KIMI_API_KEY: 'of-the-environment', SUPABASE_SERVICE_ROLE_KEY: ' by-its-alias ', MAX_RETRY_ATTEMPTS: 'wrong' };
  expect(secretValues({ env, cwd: folder.path }).sort()).toEqual(['by-its-alias', 'of-the-environment', 'of-the-file']);
});
