import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Running, runCutover } from '../support/cutover.ts';
import { API_TOKEN, envBeside, example, type Served, SWITCHES, setShare, startProgram, startServe } from '../support/serve.ts';
import { dropBucket, freshBucket, supabaseProvider } from '../support/supabase-provider.ts';

/** The example applications as processes of their own, beside a worker, while the share of their users changes. */

type Program = Awaited<ReturnType<typeof startProgram>>;

/** With the facade in it, in TypeScript. */
async function inTypeScript(cutover: Running, bucket: string): Promise<Program> {
  return await startProgram(
    process.execPath,
    [example('upload-service.ts')],
    cutover.folder,
    envBeside(cutover, { LEGACY_BUCKET: bucket }),
  );
}

/** In Python, with `cutover serve` behind it. */
async function inPython(cutover: Running, bucket: string): Promise<Program> {
  const served: Served = await startServe(cutover, { LEGACY_BUCKET: bucket });
  const env = { ...envBeside(cutover), CUTOVER_API_URL: served.url, CUTOVER_API_TOKEN: API_TOKEN };
  const program = await startProgram('python3', [example('upload_service.py')], cutover.folder, env);
  return {
    url: program.url,
    async stop() {
      await program.stop();
      served.child.kill('SIGTERM');
      expect((await served.ended).code).toBe(0);
    },
  };
}

const hasPython = spawnSync('python3', ['-c', 'import http.server']).status === 0;
if (!hasPython) console.warn('The example in Python is not tested: there is no python3 on the path');

for (const [language, begin, isThere] of [
  ['TypeScript', inTypeScript, true],
  ['Python', inPython, hasPython],
] as const)
  describe.skipIf(!isThere)(`The example application in ${language}`, { timeout: 60_000 }, () => {
    const bucket = freshBucket();
    /** A user of this test alone: the ledger is everybody's. */
    const ann = `ann-${randomUUID()}`;
    let cutover: Running;
    let service: Program;
    let url = '';
    beforeAll(async () => {
      cutover = await runCutover(SWITCHES);
      await supabaseProvider({ bucket }).check(new AbortController().signal);
      service = await begin(cutover, bucket);
      url = service.url;
    }, 60_000);
    afterAll(async () => {
      await service?.stop();
      await cutover?.stop();
      await dropBucket(bucket);
    });

    const of = (user: string) => ({ headers: { 'x-user': user } });
    /** The facade says `servedBy` in a program, and `served_by` over HTTP. */
    async function upload(text: string, user: string): Promise<{ id: string; side: string | undefined }> {
      const headers = { 'x-user': user, 'content-type': 'text/plain' };
      const answer = await fetch(`${url}/files?name=note.txt`, { method: 'POST', body: text, headers });
      const { id, servedBy, served_by } = (await answer.json()) as Record<'id', string> &
        Record<'servedBy' | 'served_by', string | undefined>;
      return { id, side: servedBy ?? served_by };
    }
    /** A change reaches it within five seconds. */
    async function serveBy(share: number, side: string): Promise<void> {
      await setShare(cutover, 'kimi', share);
      await vi.waitFor(async () => expect((await upload('probe', 'prober')).side).toBe(side), { timeout: 5000, interval: 200 });
    }

    test('uploads by the side that the share names, and reads every file whatever the share is then', async () => {
      const files: { id: string; text: string }[] = [];
      for (const [share, side] of [
        [0, 'legacy'],
        [100, 'unified'],
        [0, 'legacy'],
      ] as const) {
        await serveBy(share, side);
        const text = `uploaded at ${share} % ${Math.random()}`;
        files.push({ id: (await upload(text, ann)).id, text });
      }
      for (const { id, text } of files) expect(await (await fetch(`${url}/files/${id}`, of(ann))).text()).toBe(text);
      const ids: string[] = [];
      for (let after: string | null = ''; after !== null; ) {
        const page = await fetch(`${url}/files${after === '' ? '' : `?after=${encodeURIComponent(after)}`}`, of(ann));
        const body = (await page.json()) as { files: { id: string }[]; next: string | null };
        ids.push(...body.files.map(({ id }) => id));
        after = body.next;
      }
      expect(ids.toSorted()).toEqual(files.map(({ id }) => id).toSorted());
      for (const { id } of files) {
        expect((await fetch(`${url}/files/${id}`, { method: 'DELETE', ...of(ann) })).status).toBe(204);
        expect((await fetch(`${url}/files/${id}`, of(ann))).status).toBe(404);
      }
    });

    test("keeps one user's files from another, also from one who asks for them by name", async () => {
      await serveBy(100, 'unified');
      const { id } = await upload('only mine', ann);
      expect((await fetch(`${url}/files/${id}`, of('bob'))).status).toBe(404);
      expect((await fetch(`${url}/files/${id}?user=${ann}`, of('bob'))).status).toBe(404);
      expect((await fetch(`${url}/files/${id}`, { method: 'DELETE', ...of('bob') })).status).toBe(404);
      expect(await (await fetch(`${url}/files/${id}`, of(ann))).text()).toBe('only mine');
    });
  });
