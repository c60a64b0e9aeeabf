import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, expect, test } from 'vitest';
import { createUploadActivities } from '../../activities/upload.ts';
import type { Claimed, Stored } from '../../src/domain/upload-file.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { createUploadSteps } from '../../src/manager/upload-steps.ts';
import { type Provider, storedObjectOf, type UploadRequest } from '../../src/providers/provider.ts';
import type { UploadInput } from '../../workflows/contract.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('store-activity');
afterAll(() => scratch.remove());

type Ours = Claimed & { outcome: 'claimed' };
const LEASE_SECONDS = 0.05;
const PLACE = { provider: 'vendor', account: 'vendor/a', purpose: 'storage', namespace: 'live' } as const;

/** A vendor that makes its own ids and finds its objects by their marker. */
function vendorOf() {
  const objects = new Map<string, string>();
  const sent: UploadRequest[] = [];
  const vendor: Provider = {
    ...createMemoryProvider({ name: 'vendor', account: 'vendor/a' }),
    idOf: () => null,
    async upload(request) {
      sent.push(request);
      const id = `made-${randomUUID()}`;
      objects.set(id, request.marker);
      return storedObjectOf({ id, sizeBytes: request.body.sizeBytes });
    },
    async find({ marker, sizeBytes }) {
      const [id] = [...objects].find(([, its]) => its === marker) ?? [];
      return id === undefined ? null : storedObjectOf({ id, sizeBytes });
    },
    delete: async (id) => objects.delete(id),
  };
  return { objects, sent, vendor };
}

/** One upload whose claim was made, and whose bytes are about to be sent. */
async function claimed(text: string) {
  const ledger: Ledger = createMemoryLedger();
  const { objects, sent, vendor } = vendorOf();
  const steps = createUploadSteps({ ledger, provider: () => vendor, limits: { maxFileBytes: 1000, allowedExtensions: null } });
  const { storeContent } = createUploadActivities({ ledger, stepsFor: () => steps, providerFor: () => () => vendor });
  const path = join(scratch.path, `${randomUUID()}.txt`);
  writeFileSync(path, text);
  const content = { sha256: createHash('sha256').update(text).digest('hex'), sizeBytes: text.length, mimeType: 'text/plain' };
  const input: UploadInput = {
    ...{
      idempotencyKey: 'a',
      source: { kind: 'path', path, sizeBytes: text.length, modifiedMs: 0 },
      provider: 'vendor',
      namespace: 'live',
    },
    reference: { name: 'a.txt', tool: 't', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
    ...{ verify: 'none', onDuplicate: 'reuse' },
    settings: { localLimitBytes: 0, minBytesPerSecond: 1, activityTimeoutMs: 1000, leaseSeconds: LEASE_SECONDS },
  };
  const claim = (owner: string) =>
    ledger.claim({ ...PLACE, content, originalName: 'a.txt', owner, idempotencyKey: owner, leaseSeconds: LEASE_SECONDS });
  const store = async (ours: Claimed, attempt = 1): Promise<Stored> => {
    const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
    return (await environment.run(storeContent, input, content, ours as Ours)) as Stored;
  };
  return { ledger, objects, sent, claim, store };
}
const leaseToEnd = () => new Promise((resolve) => setTimeout(resolve, LEASE_SECONDS * 1000 + 20));

test('A second attempt to send looks for what the first one may have left', async () => {
  const { sent, claim, store } = await claimed('twice');
  const ours = (await claim('upload:a')) as Ours;
  await store(ours, 1);
  await store(ours, 2);
  expect(sent.map(({ retried }) => retried)).toEqual([false, true]);
});

test('A lease that ran out before its turn came, and that nobody took over, is taken up again', async () => {
  const { objects, claim, store } = await claimed('late');
  const ours = (await claim('upload:a')) as Ours;
  await leaseToEnd();
  expect(objects.has((await store(ours)).id)).toBe(true);
});

test('What another has sent while the claim waited for its turn is not replaced, and nothing is sent', async () => {
  const { ledger, objects, sent, claim, store } = await claimed('damaged before');
  const first = (await claim('upload:first')) as Ours;
  await ledger.complete(first.copyId, 'upload:first', 'made-damaged');
  await ledger.invalidate(first.copyId, 'verification_failed');
  const ours = (await claim('upload:a')) as Ours;
  expect(ours.lastErrorCode).toBe('verification_failed');
  await leaseToEnd();
  const theirs = (await claim('upload:b')) as Ours;
  objects.set('made-by-b', theirs.copyId);
  await ledger.complete(theirs.copyId, 'upload:b', 'made-by-b');
  await expect(store(ours)).rejects.toMatchObject({ code: 'claim_lost' });
  expect([sent.length, [...objects.keys()]]).toEqual([0, ['made-by-b']]);
});

test('A claim that was taken over and is free again is ours again, and what may be there is looked for', async () => {
  const { sent, claim, store } = await claimed('to and fro');
  const ours = (await claim('upload:a')) as Ours;
  await leaseToEnd();
  expect(await claim('upload:b')).toMatchObject({ outcome: 'claimed' });
  await leaseToEnd();
  await store(ours);
  expect(sent).toMatchObject([{ retried: true }]);
});
