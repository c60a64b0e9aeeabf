import { inspect } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { FileManagementError } from '../../src/domain/errors.ts';
import { makeVendors } from '../../src/manager/vendors.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { freshSeed, uploadOf } from '../support/bodies.ts';
import { CARELESSNESS, type CarelessServer, startCarelessServer } from '../support/careless-server.ts';
import { scratchFolder } from '../support/stack.ts';

/**
 * A recognisable secret as the key of every provider, and a server that repeats it in every way: it is in no error, in no part of one
 * and in nothing that is made of one.
 */

/** Any eight characters of it in a row would be too many; and it has what a URL escapes. */
const CANARY = 'cNr/Qz7+Vx4kJ2mW9pT5hB8sD3fG6yL1=';
const PIECES = Array.from({ length: CANARY.length - 7 }, (_, first) => CANARY.slice(first, first + 8));
const KEYED = ['ANTHROPIC', 'GEMINI', 'GLM', 'KIMI', 'OPENAI'];
const HASTY = { callMs: 500, idleMs: 250, minBytesPerSecond: 65_536 };
const signal = new AbortController().signal;
const folder = scratchFolder('canary');

let server: CarelessServer;
let providers: Provider[];
beforeAll(async () => {
  server = await startCarelessServer(CANARY);
  const { url } = server;
  const config = loadConfig({
    cwd: folder.path,
    env: {
      SUPABASE_URL: url,
      SUPABASE_SECRET_KEY: CANARY,
      S3_BUCKET: 'bucket',
      S3_ENDPOINT: url,
      S3_ACCESS_KEY_ID: 'known-to-all',
      S3_SECRET_ACCESS_KEY: CANARY,
      // Begins like the other one: to mask that alone would leave the rest.
      S3_SESSION_TOKEN: `${CANARY}rest-of-the-token`,
      ...Object.fromEntries(
        KEYED.flatMap((name) => [
          [`${name}_API_KEY`, CANARY],
          [`${name}_BASE_URL`, url],
        ]),
      ),
    },
  });
  providers = makeVendors(config, () => ({ timeouts: HASTY, maxRetryAttempts: 1 })).providers;
});
afterAll(async () => {
  await server?.close();
  folder.remove();
});

/** An id that this provider takes for one. */
const idAt = ({ name, idOf }: Provider) => idOf('0'.repeat(64), 'live') ?? (name === 'gemini' ? 'files/abc' : 'file-abc');

const callsOf = (provider: Provider): Record<string, () => Promise<unknown>> => ({
  check: () => provider.check(signal),
  upload: () => provider.upload(uploadOf(100, freshSeed(), { name: 'file.txt' })),
  'upload that is retried': () => provider.upload(uploadOf(100, freshSeed(), { name: 'file.txt', retried: true })),
  info: () => provider.info(idAt(provider), signal),
  async list() {
    for await (const _ of provider.list({ signal }));
  },
  async download() {
    for await (const _ of (await provider.download(idAt(provider), { signal })).chunks);
  },
  delete: () => provider.delete(idAt(provider), signal),
});

/** All that a person or a program can get to see of an error. */
function seenOf(error: unknown): string {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  log.error(error, 'as the error');
  log.error({ err: error, error }, 'as fields');
  const { stack, message } = error as Error;
  return [
    ...lines,
    inspect(error, { depth: 10, showHidden: true, getters: true }),
    JSON.stringify(error),
    String(error),
    stack,
    message,
  ].join('\n');
}
const pieceIn = (text: string) => PIECES.find((piece) => text.includes(piece) || text.includes(encodeURIComponent(piece))) ?? null;

test('The canary is found where it is, whole, cut and escaped, in the depth of an error', () => {
  const deep = new Error('outer', {
    cause: new Error('inner', { cause: Object.assign(new Error(), { data: { text: CANARY.slice(3, 14) } }) }),
  });
  expect(pieceIn(seenOf(deep))).not.toBeNull();
  expect(pieceIn(seenOf(new Error(encodeURIComponent(CANARY))))).not.toBeNull();
  expect(pieceIn(seenOf(new Error('nothing')))).toBeNull();
});

describe('A key is in no error', () => {
  test('of any provider there is', () =>
    expect(providers.map(({ name }) => name).sort()).toEqual(['anthropic', 'gemini', 'glm', 'kimi', 'openai', 's3', 'supabase']));

  test.each(CARELESSNESS)(
    'when the server %s, and each error is one of ours',
    async (mode) => {
      server.mode = mode;
      let failed = 0;
      for (const provider of providers) {
        await Promise.all(
          Object.entries(callsOf(provider)).map(async ([call, run]) => {
            const error = await run().then(
              () => null,
              (thrown: unknown) => thrown,
            );
            if (error === null) return;
            failed += 1;
            const where = `${call} at ${provider.name}`;
            expect(error, where).toBeInstanceOf(FileManagementError);
            expect((error as FileManagementError).provider, where).toBe(provider.name);
            expect(pieceIn(seenOf(error)), where).toBeNull();
          }),
        );
      }
      // Some calls can do with such an answer; an upload never can.
      expect(failed).toBeGreaterThanOrEqual(2 * providers.length);
    },
    60_000,
  );
});

test('A key is in nothing that a provider shows of itself', () => {
  for (const provider of providers)
    expect(pieceIn(inspect(provider, { depth: 10, showHidden: true }) + JSON.stringify(provider))).toBeNull();
});

test.each(KEYED)('A key with a line break is refused for %s by its variable, and not repeated', (name) => {
  const config = loadConfig({
    cwd: folder.path,
    env: { [`${name}_API_KEY`]: CANARY, [`${name}_BASE_URL`]: server.url, SUPABASE_URL: server.url, SUPABASE_SECRET_KEY: 'x' },
  });
  const vendor = name.toLowerCase() as 'anthropic' | 'gemini' | 'glm' | 'kimi' | 'openai';
  const broken = { ...config, providers: { ...config.providers, [vendor]: { ...config.providers[vendor], apiKey: `${CANARY}\nmore` } } };
  const make = () => makeVendors(broken, () => ({ timeouts: HASTY, maxRetryAttempts: 0 }));
  expect(make).toThrow(
    expect.objectContaining({ name: 'ValidationError', code: 'invalid_key', message: expect.stringContaining(`${name}_API_KEY`) }),
  );
  try {
    make();
  } catch (error) {
    expect(pieceIn(seenOf(error))).toBeNull();
  }
});
