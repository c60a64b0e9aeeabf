import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import { createOpenAi, type OpenAiOptions } from '../../src/providers/openai.ts';
import { PART_BYTES } from '../../src/providers/openai-uploads.ts';
import type { UploadRequest } from '../../src/providers/provider.ts';
import { drain, freshSeed, MIB, pattern, patternBody, uploadOf } from '../support/bodies.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { type OpenAiServer, startOpenAiServer } from '../support/openai-server.ts';
import { LONG } from '../support/timeouts.ts';
import { objectsOf } from '../support/vendor-samples.ts';
import { startVendorServer } from '../support/vendor-server.ts';

const signal = new AbortController().signal;
const SIZE = PART_BYTES + 3 * MIB;
interface Left {
  marker: string;
  checkpoint: object;
}
const isPart = ({ path }: { path: string }) => path.endsWith('/parts');
const isComplete = ({ path }: { path: string }) => path.endsWith('/complete');

describe('files above 64 MiB at OpenAI', () => {
  let server: OpenAiServer;
  let proxy: FaultProxy;
  /** A new one is a new worker: nothing is remembered but the checkpoint. */
  const worker = (more: Partial<OpenAiOptions> = {}) =>
    createOpenAi({
      ...{ apiKey: server.apiKey, baseUrl: `${proxy.url}/v1`, maxFileBytes: 200 * MIB, maxRetryAttempts: 3, timeouts: LONG },
      ...more,
    });
  beforeAll(async () => {
    server = await startOpenAiServer();
    proxy = await startFaultProxy(server.url);
  });
  beforeEach(() => {
    proxy.reset();
    server.parts.length = 0;
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.close();
  });

  async function expectOne(request: UploadRequest): Promise<void> {
    const [stored, ...more] = await objectsOf(worker(), request);
    expect(more).toEqual([]);
    const { chunks } = await worker().download(stored?.id ?? '', { signal });
    expect(await drain(chunks)).toEqual({ sizeBytes: SIZE, sha256: request.sha256 });
  }
  /** A worker dies within the last part; what it left. */
  async function dieInLastPart(seed: number): Promise<Left> {
    const controller = new AbortController();
    let checkpoint: { uploadId?: unknown; sha256?: string } = {};
    const body = {
      sizeBytes: SIZE,
      async *open(offset: number) {
        for (const chunk of pattern(SIZE, seed, offset)) {
          yield chunk;
          if (chunk.readDoubleLE(4) > PART_BYTES + MIB) controller.abort(new Error('killed'));
        }
      },
    };
    const onCheckpoint = (left: unknown) => {
      checkpoint = JSON.parse(JSON.stringify(left));
    };
    const request = uploadOf(SIZE, seed, { body, signal: controller.signal, onCheckpoint });
    await expect(worker().upload(request)).rejects.toThrow('killed');
    expect(server.parts).toEqual([PART_BYTES]);
    server.parts.length = 0;
    return { marker: request.marker, checkpoint };
  }

  test('go in parts of 64 MiB, but for the last', async () => {
    const request = uploadOf(SIZE, freshSeed());
    await worker().upload(request);
    expect(server.parts).toEqual([PART_BYTES, SIZE - PART_BYTES]);
    await expectOne(request);
  });

  test('whose source is gone say so, and are not begun again', async () => {
    const gone = new FileNotFoundError('gone', { code: 'not_found', provider: 'elsewhere' });
    const body = {
      sizeBytes: SIZE,
      async *open() {
        yield Buffer.alloc(1000);
        throw gone;
      },
    };
    const { begun } = server;
    await expect(worker().upload(uploadOf(SIZE, freshSeed(), { body }))).rejects.toBe(gone);
    expect(server.begun - begun).toBe(1);
  });

  test('go on where the dead worker stopped', async () => {
    const seed = freshSeed();
    const left = await dieInLastPart(seed);
    const begun = server.begun;
    const request = uploadOf(SIZE, seed, { ...left, retried: true });
    await worker().upload(request);
    expect(server.begun).toBe(begun);
    expect(server.parts).toEqual([SIZE - PART_BYTES]);
    await expectOne(request);
  });

  test.each([
    ['another content', ({ marker, checkpoint }: Left) => ({ marker, checkpoint: { ...checkpoint, sha256: 'f'.repeat(64) } })],
    ['another upload of the same', ({ checkpoint }: Left) => ({ checkpoint })],
    ['nonsense', ({ marker }: Left) => ({ marker, checkpoint: { uploadId: 5 } })],
    ['nothing', ({ marker }: Left) => ({ marker, checkpoint: null })],
  ])('do not go on from a checkpoint of %s', async (_, change) => {
    const seed = freshSeed();
    const request = uploadOf(SIZE, seed, change(await dieInLastPart(seed)));
    await worker().upload(request);
    expect(server.parts).toEqual([PART_BYTES, SIZE - PART_BYTES]);
  });

  test('begin anew when the hour is over', async () => {
    const seed = freshSeed();
    const left = await dieInLastPart(seed);
    server.expireAll();
    const request = uploadOf(SIZE, seed, left);
    await worker().upload(request);
    expect(server.parts).toEqual([PART_BYTES, SIZE - PART_BYTES]);
    await expectOne(request);
  });

  test('begin anew when the parts of a dead worker were of another file than its hash says', async () => {
    const seed = freshSeed();
    const { marker, checkpoint } = await dieInLastPart(seed);
    const request = uploadOf(SIZE, freshSeed(), { marker });
    await worker().upload({ ...request, checkpoint: { ...checkpoint, sha256: request.sha256 } });
    expect(server.parts).toEqual([SIZE - PART_BYTES, PART_BYTES, SIZE - PART_BYTES]);
    await expectOne(request);
  });

  test.each([
    ['the answer to a part is lost', isPart, { kind: 'drop-answer' } as const],
    ['a part breaks in the middle', isPart, { kind: 'reset-request', afterBytes: MIB } as const],
    ['the server fails at a part', isPart, { kind: 'answer', status: 503 } as const],
    ['the answer to the end is lost', isComplete, { kind: 'drop-answer' } as const],
    ['the server fails at the end', isComplete, { kind: 'answer', status: 500 } as const],
  ])('are one file when %s', async (_, where, fault) => {
    const request = uploadOf(SIZE, freshSeed());
    const begun = server.begun;
    proxy.inject(where, fault);
    await worker().upload(request);
    expect(server.begun).toBe(begun + 1);
    await expectOne(request);
  });

  test('are taken back when the file changes on the way', async () => {
    const seed = freshSeed();
    const cancelled = server.cancelled;
    const request = uploadOf(SIZE, seed, { body: patternBody(SIZE, seed + 500_000_000) });
    await expect(worker().upload(request)).rejects.toMatchObject({ code: 'file_changed', retryable: false });
    expect(server.cancelled).toBe(cancelled + 1);
    expect(await objectsOf(worker(), request)).toEqual([]);
  });
});

describe('a server that speaks the API of OpenAI', () => {
  async function withServer(options: Parameters<typeof startOpenAiServer>[0], work: (server: OpenAiServer) => Promise<void>) {
    const server = await startOpenAiServer(options);
    await work(server).finally(() => server.close());
  }
  const connect = ({ apiKey, url }: OpenAiServer, maxFileBytes = 200 * MIB) =>
    createOpenAi({ apiKey, baseUrl: `${url}/v1`, maxFileBytes, maxRetryAttempts: 1, timeouts: LONG });

  test('and has no uploads in parts gets a large file at once, up to 512 MiB', () =>
    withServer({ hasUploads: false }, async (server) => {
      const request = uploadOf(SIZE, freshSeed());
      const { id } = await connect(server).upload(request);
      const { chunks } = await connect(server).download(id, { signal });
      expect((await drain(chunks)).sha256).toBe(request.sha256);

      const body = patternBody(512 * MIB + 1, 1);
      const tooLarge = connect(server, 1024 * MIB).upload({ ...request, body });
      await expect(tooLarge).rejects.toMatchObject({ name: 'ValidationError', code: 'file_too_large' });
      expect(body.opened).toEqual([]);
    }));

  test('and keeps files of a purpose to itself is understood', () =>
    withServer({ keptPurposes: ['assistants'] }, async (server) => {
      const { id } = await connect(server).upload(uploadOf(10, freshSeed(), { purpose: 'assistants' }));
      const reading = connect(server).download(id, { signal });
      await expect(reading).rejects.toMatchObject({ name: 'ValidationError', code: 'not_downloadable' });
    }));
});

test('A file whose size the server did not tell at once is not made again because the question for it was refused', async () => {
  const made: string[] = [];
  let asked = 0;
  const file = (id: string, filename: string) => ({ id, object: 'file', filename, created_at: 1, purpose: 'user_data' });
  const server = await startVendorServer(async ({ method, url, form }) => {
    if (method === 'POST') {
      made.push((await form()).file?.filename ?? '');
      return { body: file(`file-${made.length}`, made.at(-1) ?? '') };
    }
    if (url.pathname === '/v1/files') return { body: { data: made.map((name, at) => ({ ...file(`file-${at + 1}`, name), bytes: 10 })) } };
    asked += 1;
    return asked < 3 ? { status: 429, body: { error: { message: 'slow' } } } : { body: { ...file('file-1', made[0] ?? ''), bytes: 10 } };
  });
  try {
    const options = { apiKey: 'sk', baseUrl: `${server.url}/v1`, maxFileBytes: MIB, maxRetryAttempts: 1, timeouts: LONG };
    expect(await createOpenAi(options).upload(uploadOf(10, freshSeed()))).toMatchObject({ id: 'file-1', sizeBytes: 10 });
    expect(made).toHaveLength(1);
  } finally {
    await server.close();
  }
});
