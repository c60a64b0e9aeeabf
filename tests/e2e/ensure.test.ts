import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { type GeminiServer, startGeminiServer } from '../support/gemini-server.ts';
import { cleanEnv } from '../support/stack.ts';

/** The command line, beside a provider that drops files after a while. */
let gemini: GeminiServer;
let running: Running;
beforeAll(async () => {
  gemini = await startGeminiServer();
  running = await runCutover({ GEMINI_API_KEY: gemini.apiKey, GEMINI_BASE_URL: gemini.url });
});
afterAll(async () => {
  await running?.stop();
  await gemini?.close();
});

const cutover = (...args: string[]): Promise<Ran> => {
  const { temporal, supabase } = running.config;
  const env = {
    TEMPORAL_ADDRESS: temporal.address ?? '',
    TEMPORAL_TASK_QUEUE: temporal.taskQueue,
    SUPABASE_URL: supabase.url ?? '',
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: temporal.taskQueue,
    GEMINI_API_KEY: gemini.apiKey,
    GEMINI_BASE_URL: gemini.url,
  };
  return startCommand(args, { cwd: running.folder, env: cleanEnv(inject('stateDir'), env) }).ended;
};

describe('cutover ensure', { timeout: 60_000 }, () => {
  it('prints the id alone, and another when the file has gone from there', async () => {
    running.put('kept.txt', `kept ${running.config.temporal.taskQueue}`);
    expect((await cutover('upload', 'kept.txt', '--to', 'supabase', '--name', `kept of ${running.config.temporal.taskQueue}`)).code).toBe(
      0,
    );
    const name = `kept of ${running.config.temporal.taskQueue}`;
    const first = await cutover('ensure', name, '--to', 'gemini');
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^files\/\S+\n$/),
      stderr: expect.stringContaining('Uploaded at gemini'),
    });
    expect(await cutover('ensure', name, '--to', 'gemini')).toMatchObject({
      stdout: first.stdout,
      stderr: expect.stringMatching(/^There already/),
    });

    gemini.expireAll();
    const again = await cutover('ensure', first.stdout.trim(), '--to', 'gemini', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'uploaded_again', provider: 'gemini', replaced: first.stdout.trim() });
    expect(JSON.parse(again.stdout).providerFileId).not.toBe(first.stdout.trim());
  });

  it('says what is wrong where there is no such file, no such provider or nothing to read', async () => {
    expect(await cutover('ensure', 'nobody knows', '--to', 'gemini')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('nobody knows'),
    });
    expect(await cutover('ensure', 'nobody knows', '--to', 'nowhere')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('gemini, supabase'),
    });
    const name = `lost of ${running.config.temporal.taskQueue}`;
    running.put('lost.txt', name);
    expect((await cutover('upload', 'lost.txt', '--to', 'gemini', '--name', name)).code).toBe(0);
    gemini.expireAll();
    const lost = await cutover('ensure', name, '--to', 'gemini');
    expect(lost).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/No copy of .* can be read: gemini .*cutover upload FILE/s),
    });
  });
});

describe('cutover upload --to auto', { timeout: 60_000 }, () => {
  it('chooses the provider for what the file is for, and tells the reason beside the data', async () => {
    running.put('choose.txt', `choose ${running.config.temporal.taskQueue}`);
    const kept = await cutover('upload', 'choose.txt', '--to', 'auto');
    expect(kept).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^[0-9a-f-]{36} {2}uploaded/),
      stderr: expect.stringMatching(/supabase: it takes/),
    });
    const { stdout } = await cutover('upload', 'choose.txt', '--to', 'auto', '--purpose', 'vision', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ outcome: 'uploaded', provider: 'gemini', reason: expect.stringMatching(/^gemini: it takes/) },
      considered: [{ provider: 'gemini' }, { provider: 'supabase', taken: false }],
    });
  });
  it('says why each provider does not take it', async () => {
    const none = await cutover('upload', 'choose.txt', '--to', 'auto', '--purpose', 'fine-tune');
    expect(none).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/gemini: .*\n {2}supabase: /s) });
  });
});
