import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { run } from '../../src/cli/main.ts';
import type { Services } from '../../src/cli/services.ts';

/** As in a container that runs under a number of its own (`runAsUser`), which no account has. */
vi.mock('node:os', async (original) => {
  const nobody = (): never => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  };
  return { ...(await original<typeof import('node:os')>()), userInfo: nobody, homedir: nobody };
});

describe('A user whom no account has', () => {
  it('can give every command, and stands on record with the number', async () => {
    const notes: string[] = [];
    const client = { pauseSweeps: async (note: string) => void notes.push(note) };
    const code = await run({
      ...{ argv: ['retention', 'pause', '--reason', 'the audit'], env: {}, cwd: '/', stdin: new PassThrough() },
      ...{ stdout: new PassThrough().resume(), stderr: new PassThrough().resume(), signal: new AbortController().signal },
      services: () => ({ client: async () => client, close: async () => {} }) as unknown as Services,
    });
    expect(code).toBe(0);
    expect(notes).toEqual([`paused by uid ${process.getuid?.()}: the audit`]);
  });
});

describe('What was compiled', () => {
  it.each([{ HOME: '' }, {}, { XDG_CACHE_HOME: 'caches', HOME: '' }])(
    'is not kept in the folder where a command is given, which others may write to: %o',
    (env) => {
      const cwd = mkdtempSync(join(tmpdir(), 'cutover-account-'));
      const program = join(import.meta.dirname, '../../bin/cutover.js');
      expect(execFileSync(process.execPath, [program, '--version'], { cwd, env, encoding: 'utf8' })).toMatch(/^\d+\.\d+\.\d+\n$/);
      expect(readdirSync(cwd)).toEqual([]);
      rmSync(cwd, { recursive: true });
    },
  );
});
