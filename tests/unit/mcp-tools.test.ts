import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Output } from '../../src/cli/output.ts';
import { createProgram } from '../../src/cli/program.ts';
import { loadConfig } from '../../src/config/index.ts';
import { TOOLS } from '../../src/mcp/tools.ts';
import { connectMcp, type McpSession } from '../support/mcp.ts';
import { scratchFolder } from '../support/stack.ts';

const nobody = () => {
  throw new TypeError('no command is run here');
};
const streams = { stdout: new PassThrough(), stderr: new PassThrough(), color: false };
const program = createProgram(
  {
    ...{ source: { env: {}, cwd: '/' }, output: new Output(streams), input: new PassThrough(), signal: new AbortController().signal },
    ...{ now: Date.now, config: nobody, services: nobody },
  },
  '0.0.0',
  () => undefined,
);
/** `rollout start`, and `migrate` itself, because it does something without a subcommand, too. */
const commandsOf = (command: Command, before = ''): string[] =>
  command.commands.flatMap((one) => {
    const name = `${before}${one.name()}`;
    return [name, ...commandsOf(one, `${name} `)];
  });
const COMMANDS = commandsOf(program);

/** What a person does at a terminal alone: steps of a migration's preparation, long looks at all that there is, and what runs processes. */
const FOR_PEOPLE =
  /^(demo|up|down|worker|serve|mcp|doctor|ids|ready|reconcile|backfill|verify|rollout (watch|rejudge|stage|files|rehome))\b/;
const GROUPS: readonly string[] = ['buckets', 'rollout', 'shadow', 'retention'];

describe('the tools', () => {
  it('do what every command on files, buckets, rollouts, shadowing, retention, migrations and providers does', () => {
    const wanted = COMMANDS.filter((command) => !FOR_PEOPLE.test(command) && !GROUPS.includes(command));
    // The list is not empty because the program is.
    expect(wanted.length).toBeGreaterThan(30);
    expect(wanted.filter((command) => !TOOLS.some((tool) => tool.command === command))).toEqual([]);
  });

  it('name commands that there are', () => {
    for (const { command, name } of TOOLS) if (command !== null) expect(COMMANDS, name).toContain(command.replace(/ --\S+$/, ''));
  });

  it('have names in snake case, each once, and say what they are', () => {
    expect(new Set(TOOLS.map(({ name }) => name)).size).toBe(TOOLS.length);
    for (const { name, title, description } of TOOLS) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(title).toMatch(/^[A-Z]/);
      expect(description).toMatch(/\.$/);
    }
  });

  it('ask for a word before they delete for good, and for a reason where somebody decides', () => {
    const takes = (name: string) => Object.keys(TOOLS.find((tool) => tool.name === name)?.input.shape ?? {});
    for (const name of ['delete_file', 'empty_bucket', 'delete_bucket']) expect(takes(name), name).toContain('confirm');
    for (const verb of ['start', 'pause', 'resume', 'promote', 'rollback']) expect(takes(`${verb}_rollout`), verb).toContain('reason');
    for (const verb of ['pause', 'resume', 'cancel']) expect(takes(`${verb}_migration`), verb).toContain('reason');
    for (const name of ['pause_retention', 'resume_retention', 'stop_retention', 'hold_file', 'delete_file'])
      expect(takes(name), name).toContain('reason');
  });

  it('take no secret', () => {
    for (const { input, name } of TOOLS)
      for (const field of Object.keys(input.shape)) expect(field, name).not.toMatch(/key|secret|password|token/);
  });
});

describe('as a client sees them', () => {
  const folder = scratchFolder('mcp-tools');
  let session: McpSession;
  beforeAll(async () => {
    const refuse = () => Promise.reject(new TypeError('nothing is connected here'));
    const config = loadConfig({ env: { KIMI_API_KEY: 'sk-very-secret-indeed' }, cwd: folder.path });
    session = await connectMcp(() => ({ config, services: { client: refuse, stores: refuse, close: async () => undefined } }), {
      cwd: folder.path,
      secrets: ['sk-very-secret-indeed'],
    });
  });
  afterAll(async () => {
    await session?.close();
    folder.remove();
  });

  it('are told what only reads, what destroys, and that a wrong argument is one', async () => {
    const { tools } = await session.client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(TOOLS.map(({ name }) => name).sort());
    for (const { name, annotations = {}, inputSchema, outputSchema } of tools) {
      expect(annotations.readOnlyHint, name).toBe(/^(get|list|follow)_/.test(name));
      if (annotations.readOnlyHint === true) expect(annotations.destructiveHint, name).toBe(false);
      expect(inputSchema, name).toMatchObject({ type: 'object', additionalProperties: false });
      expect(outputSchema, name).toMatchObject({ type: 'object' });
      for (const [field, schema] of Object.entries(inputSchema.properties ?? {}))
        expect(schema, `${name}.${field}`).toHaveProperty('description');
    }
    const destroy = tools.filter(({ annotations }) => annotations?.destructiveHint === true).map(({ name }) => name);
    expect(destroy.sort()).toEqual([
      ...['cancel_migration', 'delete_bucket', 'delete_file', 'download_file', 'empty_bucket', 'rollback_rollout', 'run_retention'],
    ]);
  });

  it('answer the status of the configuration, without a secret', async () => {
    const { data, text } = await session.call('get_status');
    expect(data).toMatchObject({ switches: { unifiedManager: false }, providers: { kimi: { configured: true, secret: '********' } } });
    expect(JSON.stringify([data, text])).not.toContain('very-secret');
  });

  it.each<[string, string, Record<string, unknown>, RegExp]>([
    ['a number that is a word', 'list_files', { limit: 'many' }, /list_files: limit: .*expected number, received string/],
    ['an argument that there is not', 'list_files', { limits: 3 }, /Unrecognized key: "limits"/],
    ['nothing where something is needed', 'upload_file', {}, /upload_file: path: /],
    ['a share of 101', 'start_rollout', { tool: 'kimi', steps: [101] }, /steps.*100/],
    ['an id that is none', 'get_migration_status', { id: '../x' }, /id: must be 1 to 100 of/],
    ['a type that is none', 'create_bucket', { name: 'b', mime_type: ['image'] }, /must be a type such as image\/png/],
    ['a sweep without saying whether it is a dry run', 'run_retention', {}, /dry_run/],
    ['a cursor of another list', 'list_sweep_items', { run_id: crypto.randomUUID(), cursor: 'x' }, /cursor: must be the `next`/],
    ['a list where a text is wanted', 'get_file_info', { file: ['a'] }, /file: .*expected string/],
  ])('are told what is wrong with %s', async (_, name, args, message) => {
    const { isError, text } = await session.call(name, args);
    expect([isError, text]).toEqual([true, expect.stringMatching(message)]);
  });

  it('are told of a bug without a stack', async () => {
    const { isError, text } = await session.call('list_files');
    expect([isError, text]).toEqual([true, expect.stringMatching(/^Unexpected: nothing is connected here\. This looks like a bug/)]);
    expect(session.lines.at(-1)).toMatchObject({ message: 'tool failed', fields: { tool: 'list_files' } });
  });

  it('are told that there is no such tool', async () => {
    await expect(session.call('format_disk')).rejects.toThrow(/format_disk not found/);
  });
});
