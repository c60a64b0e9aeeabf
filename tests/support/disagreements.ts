import { createHash, randomUUID } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { Disagreement } from '../../src/domain/reconciliation.ts';
import type { Stores } from '../../src/manager/stores.ts';
import { s3Client } from './s3-provider.ts';
import { supabase } from './supabase-provider.ts';
import type { S3Server } from './versitygw.ts';

/** Writes an object past every check of ours. */
export type RawPut = (id: string, content: string) => Promise<void>;

export const putToSupabase: RawPut = async (id, content) => {
  const { url, secretKey } = supabase();
  const headers = { apikey: secretKey, authorization: `Bearer ${secretKey}`, 'content-type': 'text/plain', 'x-upsert': 'true' };
  const answer = await fetch(`${url}/storage/v1/object/${id}`, { method: 'POST', headers, body: content });
  if (!answer.ok) throw new Error(`${id}: ${answer.status} ${await answer.text()}`);
};

/** With the checksum of these bytes, as whoever damages an object would leave it. */
export function putToS3(server: S3Server): RawPut {
  const client = s3Client(server);
  return async (id, content) => {
    const [bucket = '', ...key] = id.split('/');
    const ChecksumSHA256 = createHash('sha256').update(content).digest('base64');
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key.join('/'), Body: content, ChecksumSHA256 }));
  };
}

export interface Planted {
  objectId: string;
  fileId: string | null;
  copyId: string | null;
  content: string;
}

/** Plants files in a storage and its ledger, past all that keeps the two together. */
export function planter({ ledger, provider }: Pick<Stores, 'ledger' | 'provider'>, name: string, put: RawPut) {
  const to = provider(name);
  const hashOf = (content: string) => createHash('sha256').update(content).digest('hex');
  const idOf = (content: string) => to.idOf(hashOf(content), 'live') ?? '';
  const fresh = () => `content ${randomUUID()}`;

  async function claimed(content: string, leaseSeconds = 60) {
    const owner = randomUUID();
    const claim = await ledger.claim({
      ...{ provider: name, account: to.account, purpose: 'storage', namespace: 'live', owner, idempotencyKey: owner, leaseSeconds },
      ...{ content: { sha256: hashOf(content), sizeBytes: content.length, mimeType: 'text/plain' }, originalName: `${name}.txt` },
    });
    return { owner, fileId: claim.fileId, copyId: claim.copyId };
  }
  async function row(content: string): Promise<Planted> {
    const { owner, fileId, copyId } = await claimed(content);
    await ledger.complete(copyId, owner, idOf(content));
    return { objectId: idOf(content), fileId, copyId, content };
  }

  const plant = {
    /** A file as it should be. */
    async whole(content = fresh()): Promise<Planted> {
      await put(idOf(content), content);
      return await row(content);
    },
    lost: (): Promise<Planted> => row(fresh()),
    async unknown(content = fresh()): Promise<Planted> {
      await put(idOf(content), content);
      return { objectId: idOf(content), fileId: null, copyId: null, content };
    },
    async other_size(): Promise<Planted> {
      const planted = await plant.whole();
      await put(planted.objectId, `${planted.content} and more`);
      return planted;
    },
    async other_hash(): Promise<Planted> {
      const planted = await plant.whole();
      await put(planted.objectId, planted.content.replace('content', 'damaged'));
      return planted;
    },
    async purged(): Promise<Planted> {
      const planted = await plant.deleted();
      await ledger.beginPurge(planted.copyId ?? '', 'planted', 60);
      await ledger.completePurge(planted.copyId ?? '', 'planted');
      return planted;
    },
    async stranded(): Promise<Planted> {
      const content = fresh();
      await put(idOf(content), content);
      const { owner, fileId, copyId } = await claimed(content);
      await ledger.fail(copyId, owner, 'timeout');
      return { objectId: idOf(content), fileId, copyId, content };
    },
    /** Deleted, and retention has not come to it yet. */
    async deleted(): Promise<Planted> {
      const planted = await plant.whole();
      await ledger.softDelete(planted.fileId ?? '', 'planted');
      return planted;
    },
    /** Being sent now, until its owner is lost. */
    async underWay(): Promise<Planted & { lose(): Promise<void> }> {
      const content = fresh();
      await put(idOf(content), content);
      const { owner, fileId, copyId } = await claimed(content);
      return {
        ...{ objectId: idOf(content), fileId, copyId, content },
        async lose() {
          await ledger.renew(copyId, owner, 0.01);
          await new Promise((resolve) => setTimeout(resolve, 50));
        },
      };
    },
  };
  return { ...plant, idOf, put } satisfies Record<Disagreement, () => Promise<Planted>> & Record<string, unknown>;
}
