import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { Output } from '../../src/cli/output.ts';
import { createProgram } from '../../src/cli/program.ts';

/**
 * The README and the guides in docs are held against the program. Each `npx cutover …` in it is parsed by the real command line, with its options and arguments,
 * whose actions are replaced by one that only notes that it was reached; what the commands do is shown by the other tests here.
 */

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const guides = globSync('docs/*.md', { cwd: root }).sort();
const pages = [['README.md', readme] as const, ...guides.map((path) => [path, readFileSync(join(root, path), 'utf8')] as const)];
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** Commands in blocks of `sh` and `console`, and between backticks in the text. */
function commands(program: 'npx cutover' | 'npm'): string[] {
  const text = pages.map(([, page]) => page).join('\n');
  const blocks = [...text.matchAll(/```(?:sh|console)\n(.*?)```/gs)].map(([, block]) => block ?? '');
  const lines = blocks.flatMap((block) => block.split('\n')).map((line) => line.replace(/^\$ /, '').replace(/\s#.*$/, ''));
  const inText = [...text.replace(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
  return [...lines, ...inText]
    .flatMap((line) => line.split(' && ').map((part) => part.trim()))
    .filter((part) => part.startsWith(`${program} `));
}

/** Every command that can be run, each with an action that only tells that it was reached. */
function commandLine(reached: (name: string) => void): { program: Command; names: string[] } {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const program = createProgram(
    {
      source: { env: {}, cwd: root },
      output: new Output({ stdout, stderr, color: false }),
      input: new PassThrough(),
      signal: new AbortController().signal,
      now: Date.now,
      config: () => expect.unreachable('nothing is run'),
      services: () => expect.unreachable('nothing is run'),
    },
    '0',
    () => undefined,
  );
  const names: string[] = [];
  const note = (command: Command, path: string): void => {
    // A command that has others below it may do something itself, too.
    if (path !== '' && (command.commands.length === 0 || Reflect.get(command, '_actionHandler') !== null)) {
      names.push(path);
      command.action(() => reached(path));
    }
    for (const child of command.commands) note(child, `${path} ${child.name()}`.trim());
  };
  note(program, '');
  return { program, names };
}

/** @returns the command that was reached, such as `migrate status` */
async function parse(line: string): Promise<string> {
  const reached: string[] = [];
  await commandLine((name) => reached.push(name)).program.parseAsync(line.split(/\s+/).slice(2), { from: 'user' });
  return reached.join();
}

describe('the README', () => {
  const lines = commands('npx cutover').filter((line) => !line.includes('COMMAND'));

  it('shows commands', () => expect(lines.length).toBeGreaterThan(10));

  it.each(lines)('%s is understood by the command line', async (line) => {
    expect(`${line} `).toMatch(new RegExp(`^npx cutover ${await parse(line)} `));
  });

  it('is held against a parser that refuses what it does not know', async () => {
    await expect(parse('npx cutover migrate FOLDER --verfy')).rejects.toThrow('--verfy');
  });

  it.each(commands('npm'))('%s is a script of this package', (line) => {
    const [, name, script] = line.split(/\s+/);
    if (name === 'run') expect(Object.keys(scripts)).toContain(script);
    else expect(['ci', 'test']).toContain(name);
  });

  it('has every command in its table', () => {
    const table = readme
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split(' | ')[0])
      .join();
    for (const name of commandLine(() => undefined).names) expect(table).toMatch(new RegExp(`\\b${name.split(' ').at(-1)}\\b`));
  });

  it('lists every exit code', () => {
    const listed = [...readme.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(listed).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });

  it.each(pages)('%s links only to files that are there', (page, text) => {
    const files = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path ?? '');
    expect(files).not.toEqual([]);
    for (const file of files) expect(existsSync(join(root, dirname(page), file)), file).toBe(true);
  });
});
