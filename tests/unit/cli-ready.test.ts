import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/main.ts';
import type { Services } from '../../src/cli/services.ts';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import { startMigration } from '../../src/domain/migration.ts';
import type { Traffic } from '../../src/ledger/ledger.ts';
import { reference, stored } from '../conformance/ledger-samples.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';

/** `cutover ready` over a ledger in memory and a Temporal that knows what it is given. */
async function ready(args: readonly string[], { known = true, traffic = [] as Traffic[], files = 3, missing = 0 } = {}) {
  const ledger = createMemoryLedger();
  const asked: string[] = [];
  for (let file = 0; file < files; file += 1) {
    const { fileId, objectId, copyId } = await stored(ledger);
    await ledger.addReference(fileId, reference());
    await ledger.recordMigrationItems('newest', [
      {
        ...{ path: `f${file}`, sizeBytes: 1, status: 'uploaded', sha256: null, fileId, providerFileId: objectId },
        ...{ verified: 'stored', errorCode: null, error: null, sourceProvider: null, sourceId: null },
      },
    ]);
    if (file < missing) await ledger.invalidate(copyId, 'gone');
  }
  const state = startMigration(0);
  const services = {
    client: async () => ({
      listMigrations: async () => [{ id: 'newest', status: 'COMPLETED', startedAt: new Date() }],
      async migrationStatus(id: string) {
        if (!known || id !== 'newest') throw new FileNotFoundError(`There is no migration ${id}`, { code: 'workflow_not_found' });
        return { ...state, phase: 'done', totals: { ...state.totals, listed: files } };
      },
    }),
    stores: async () => ({
      ledger: {
        ...ledger,
        async traffic(since: string) {
          asked.push(since);
          return traffic.filter(({ lastAt }) => lastAt >= since);
        },
      },
    }),
    close: async () => {},
  };
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await run({
    ...{ argv: ['ready', ...args], env: {}, cwd: '/', stdin: new PassThrough(), stdout, stderr, signal: new AbortController().signal },
    services: () => services as unknown as Services,
  });
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { code, out, err, asked };
}
const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
const used = (arm: string, hours: number): Traffic => ({ tool: 'kimi', arm, lastAt: ago(hours), operations: 7 });

describe('cutover ready', () => {
  it('judges the newest migration and ends with GO', async () => {
    const { code, out, asked } = await ready([], { traffic: [used('unified', 1), used('legacy', 30)] });
    expect(out).toMatch(/^ok +migrated +migration newest is done: 3 files$/m);
    expect(out).toMatch(/^ok +quiet +no operation on legacy within 1 d, 7 operations beside it$/m);
    expect([code, out.trimEnd().split('\n').at(-1)]).toEqual([0, 'GO']);
    expect(asked.map((since) => Math.round((Date.now() - Date.parse(since)) / 3_600_000))).toContain(24);
  });

  it('looks back as far as it is told to', async () => {
    const traffic = [used('unified', 1), used('legacy', 30)];
    const { code, out } = await ready(['--quiet-for', '2d'], { traffic });
    expect([code, out.trimEnd().split('\n').at(-1)]).toEqual([1, 'NO-GO']);
    expect(out).toMatch(/missing +quiet +legacy was used within 2 d: kimi 7 operations/);
    expect((await ready(['--quiet-for', 'long'], { traffic })).code).toBe(2);
  });

  it('says NO-GO in one document, with each check and what to do', async () => {
    const { code, out } = await ready(['--json', '--require-traffic'], { missing: 2, known: false });
    const told = JSON.parse(out);
    expect([code, told.verdict, told.migrationId]).toEqual([1, 'no-go', 'newest']);
    expect(told.checks.map(({ name, status }: { name: string; status: string }) => [name, status])).toEqual([
      ...[
        ['migrated', 'unknown'],
        ['complete', 'ok'],
        ['verified', 'ok'],
      ],
      ...[
        ['resolvable', 'missing'],
        ['quiet', 'unknown'],
      ],
    ]);
    expect(told.checks[3]).toMatchObject({
      detail: expect.stringMatching(/^2 old ids lead/),
      todo: expect.stringMatching(/cutover ensure/),
    });
  });

  it('refuses a migration that neither Temporal nor the ledger knows', async () => {
    expect(await ready(['--migration', 'typo'])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('There is no migration typo'),
    });
  });
});
