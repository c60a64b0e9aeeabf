import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { NewShadowComparison } from '../../src/client/shadow-client.ts';
import type { Comparison } from '../../src/domain/comparison.ts';
import { shadowComparisonWorkflowId } from '../../workflows/contract.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { type Running, runOn } from '../support/running.ts';

/** The real workflow, server, database and storage: what a comparison finds, and what it leaves behind. */

let cutover: Running;
let proxy: FaultProxy;
beforeAll(async () => {
  proxy = await startFaultProxy(inject('supabase').url);
  const servers = { temporal: inject('temporal'), supabase: { ...inject('supabase'), url: proxy.url }, stateDir: inject('stateDir') };
  cutover = await runOn(servers, { MAX_RETRY_ATTEMPTS: '0' });
  await cutover.stores.provider('supabase').check(new AbortController().signal);
});
afterAll(async () => {
  await cutover?.stop();
  await proxy?.close();
});

const bucket = () => cutover.config.supabase.bucket;
const url = () => `${inject('supabase').url}/storage/v1/object/${bucket()}`;
const headers = () => {
  const { secretKey } = inject('supabase');
  return { apikey: secretKey, authorization: `Bearer ${secretKey}`, 'content-type': 'text/plain' };
};

/** What an old upload path has stored: an object of its own. */
async function stored(text: string): Promise<string> {
  const key = `uploads/${randomUUID()}`;
  const answer = await fetch(`${url()}/${key}`, { method: 'POST', headers: headers(), body: text });
  expect(answer.status).toBe(200);
  return `${bucket()}/${key}`;
}

async function order(tool: string, text: string, more: Partial<NewShadowComparison> = {}): Promise<NewShadowComparison> {
  const id = more.source === undefined ? await stored(text) : '';
  return {
    ...{ tool, operation: 'upload', operationId: randomUUID(), step: 1, staged: false, provider: 'supabase' },
    source: { kind: 'object', provider: 'supabase', id, sizeBytes: text.length, name: 'a.txt', mimeType: 'text/plain' },
    file: { name: 'a.txt', mimeType: 'text/plain', purpose: 'storage' },
    control: { ok: true, ms: 5, result: { name: 'a.txt', sizeBytes: text.length, mimeType: 'text/plain', sha256: null } },
    rules: { fields: null, ignore: ['id'], clean: { mimeType: 'essence' }, timing: null },
    candidateTimeoutMs: 20_000,
    breaker: { threshold: 0.5, minSamples: 1000, cooldownSeconds: 60 },
    ...more,
  };
}

async function compared(comparison: NewShadowComparison): Promise<Comparison | null> {
  await cutover.client.startShadowComparison(comparison);
  return await cutover.temporal.workflow.getHandle(shadowComparisonWorkflowId(comparison.operationId)).result();
}

async function objectsUnder(prefix: string): Promise<string[]> {
  const ids: string[] = [];
  const signal = AbortSignal.timeout(10_000);
  for await (const { objects } of cutover.stores.provider('supabase').list({ under: `${bucket()}/${prefix}`, signal }))
    ids.push(...objects.map(({ id }) => id));
  return ids;
}
const freshTool = () => `tool-${randomUUID().slice(0, 8)}`;

describe('A shadow comparison', () => {
  test('of two sides that do the same finds no difference, and nobody holds what it uploaded', async () => {
    const tool = freshTool();
    const text = `the same ${randomUUID()}`;
    const comparison = await order(tool, text);
    expect(await compared(comparison)).toEqual({ pair: 'neither', mismatches: [] });
    const report = await cutover.stores.shadow.shadowReport(tool, null, 5);
    expect(report).toMatchObject({ comparisons: 1, matched: 1, pairs: { neither: 1 } });
    expect(report.timingMs.candidate?.[0]).toBeGreaterThan(0);
    expect(await objectsUnder('shadow/')).toEqual([]);
    expect(await cutover.stores.shadow.shadowCopies(`shadow-${comparison.operationId}`)).toEqual([]);
    const file = await cutover.stores.ledger.fileByHash(createHash('sha256').update(text).digest('hex'));
    expect(await cutover.stores.ledger.references(file?.id ?? '')).toEqual([]);
    // What the control stored is the user's, and stays.
    expect(await objectsUnder('uploads/')).toContain(comparison.source.kind === 'object' ? comparison.source.id : '');
  });

  test('names the fields that differ', async () => {
    const control = { ok: true, ms: 5, result: { name: 'b.txt', sizeBytes: 3, mimeType: 'text/plain', sha256: null } } as const;
    expect(await compared(await order(freshTool(), `x ${randomUUID()}`, { control }))).toEqual({
      pair: 'neither',
      mismatches: ['name', 'sizeBytes'],
    });
  });

  test('of a candidate that fails says so, and leaves nothing of it', async () => {
    const tool = freshTool();
    proxy.inject(
      ({ method, path }) => method === 'POST' && path.includes(`/object/${bucket()}/shadow/`),
      ...Array(20).fill({ kind: 'answer', status: 503, body: {} }),
    );
    expect(await compared(await order(tool, `fails ${randomUUID()}`))).toEqual({ pair: 'candidateOnly', mismatches: ['outcome'] });
    expect((await cutover.stores.rollouts.evidence(tool, 1)).pairs).toEqual({ candidateOnly: 1 });
    expect(await objectsUnder('shadow/')).toEqual([]);
    proxy.reset();
  });

  test('of a candidate that hangs ends after its time, and leaves nothing of it', async () => {
    const comparison = await order(freshTool(), `hangs ${randomUUID()}`, { candidateTimeoutMs: 1500 });
    proxy.inject(({ path }) => path.includes(`/object/${bucket()}/shadow/`), ...Array(20).fill({ kind: 'hang' }));
    expect(await compared(comparison)).toEqual({ pair: 'candidateOnly', mismatches: ['outcome'] });
    const [example] = (await cutover.stores.shadow.shadowReport(comparison.tool, null, 1)).examples;
    expect(example).toMatchObject({ candidate: { error: 'timeout' } });
    expect(await objectsUnder('shadow/')).toEqual([]);
    proxy.reset();
  }, 60_000);

  test('of what legacy failed at counts against legacy', async () => {
    const control = { ok: false, code: 'unavailable', ms: 5 } as const;
    expect(await compared(await order(freshTool(), `legacy ${randomUUID()}`, { control }))).toEqual({
      pair: 'legacyOnly',
      mismatches: ['outcome'],
    });
  });

  test('of a file that its user has deleted meanwhile is none, and blames nobody', async () => {
    const tool = freshTool();
    const comparison = await order(tool, `deleted ${randomUUID()}`);
    if (comparison.source.kind === 'object')
      await cutover.stores.provider('supabase').delete(comparison.source.id, AbortSignal.timeout(5000));
    expect(await compared(comparison)).toBeNull();
    expect((await cutover.stores.shadow.shadowReport(tool, null, 1)).comparisons).toBe(0);
  });

  test('removes what was laid there for it', async () => {
    const key = `staging/${randomUUID()}`;
    await fetch(`${url()}/${key}`, { method: 'POST', headers: headers(), body: 'staged' });
    const source = { kind: 'object', provider: 'supabase', id: `${bucket()}/${key}`, sizeBytes: 6, name: 'a', mimeType: null } as const;
    await compared(await order(freshTool(), 'staged', { source, staged: true }));
    expect(await objectsUnder('staging/')).toEqual([]);
  });

  test('of one operation is one, however often it is asked for', async () => {
    const tool = freshTool();
    const comparison = await order(tool, `once ${randomUUID()}`);
    const ended = await Promise.allSettled([compared(comparison), compared(comparison), compared(comparison)]);
    expect(ended.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    await compared(comparison);
    expect((await cutover.stores.shadow.shadowReport(tool, null, 1)).comparisons).toBe(1);
  });

  test('finds each of the planted differences among 200, and invents none, also of the same content at once', async () => {
    const tool = freshTool();
    const differing = new Set([3, 50, 51, 120, 199]);
    const orders = await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const text = `content ${at % 40}`;
        const mimeType = differing.has(at) ? 'image/png' : 'text/plain';
        const control = { ok: true, ms: 5, result: { name: 'a.txt', sizeBytes: text.length, mimeType, sha256: null } } as const;
        return await order(tool, text, { control });
      }),
    );
    const found = await Promise.all(orders.map((comparison) => compared(comparison)));
    for (const [at, comparison] of found.entries())
      expect(comparison, `${at}`).toEqual({ pair: 'neither', mismatches: differing.has(at) ? ['mimeType'] : [] });
    const report = await cutover.stores.shadow.shadowReport(tool, null, 10);
    expect(report).toMatchObject({ comparisons: 200, matched: 195, fields: [{ field: 'mimeType', differing: 5, noise: 0 }] });
    expect(await objectsUnder('shadow/')).toEqual([]);
  }, 120_000);
});
