import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { NewReference } from '../../src/domain/models.ts';
import type { Claim, ClaimRequest, Ledger } from '../../src/ledger/ledger.ts';

export function contentOf(text: string) {
  return { sha256: createHash('sha256').update(text).digest('hex'), sizeBytes: Buffer.byteLength(text), mimeType: 'text/plain' };
}

/** A claim of a content that nobody has seen before. */
export function claimRequest(change: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    provider: 'supabase',
    account: 'main',
    purpose: 'storage',
    namespace: 'live',
    content: contentOf(randomUUID()),
    originalName: 'report.txt',
    owner: randomUUID(),
    idempotencyKey: randomUUID(),
    leaseSeconds: 60,
    ...change,
  };
}

export function reference(change: Partial<NewReference> = {}): NewReference {
  return { tool: 'kimi', userId: 'ann', name: 'report.txt', purpose: 'storage', context: null, tags: [], keep: 'expire', ...change };
}

type Claimed = Extract<Claim, { outcome: 'claimed' }>;

/** The claim, which has to be won. */
export async function won(ledger: Ledger, request: ClaimRequest): Promise<Claimed> {
  const claim = await ledger.claim(request);
  expect(claim.outcome).toBe('claimed');
  return claim as Claimed;
}

/** A content with one completed copy. */
export async function stored(ledger: Ledger, change: Partial<ClaimRequest> = {}, objectId: string = randomUUID()) {
  const request = claimRequest(change);
  const claim = await won(ledger, request);
  expect(await ledger.complete(claim.copyId, request.owner, objectId)).toBe(true);
  return { request, objectId, fileId: claim.fileId, copyId: claim.copyId };
}

/** The same claim by another owner. */
export function again(ledger: Ledger, request: ClaimRequest, owner: string = randomUUID()): Promise<Claim> {
  return ledger.claim({ ...request, owner });
}
