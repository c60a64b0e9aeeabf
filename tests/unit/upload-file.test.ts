import { describe, expect, test } from 'vitest';
import { UploadError } from '../../src/domain/errors.ts';
import type { FileContent } from '../../src/domain/models.ts';
import { type Claimed, type UploadSteps, uploadFile } from '../../src/domain/upload-file.ts';

const content: FileContent = { sha256: 'a'.repeat(64), sizeBytes: 3, mimeType: 'text/plain' };
const claimed: Claimed = { outcome: 'claimed', fileId: 'f', copyId: 'c', attempts: 1, lastErrorCode: null };
const completed: Claimed = { outcome: 'completed', fileId: 'f', copyId: 'c', providerFileId: 'there', byUs: false };

/** Steps that note what was called; each can be replaced. */
function recorded(over: Partial<UploadSteps> = {}) {
  const calls: string[] = [];
  const note =
    <T>(name: string, value: T) =>
    async () => {
      calls.push(name);
      return value;
    };
  const plain: UploadSteps = {
    hash: note('hash', content),
    claim: note('claim', claimed),
    store: note('store', 'stored'),
    record: note('record', true),
    verify: note('verify', undefined),
    giveUp: async (_, code) => void calls.push(`give up: ${code}`),
  };
  const steps = { ...plain };
  for (const [name, step] of Object.entries(over))
    Object.assign(steps, {
      [name]: async (...args: never[]) => {
        calls.push(name);
        return await (step as (...args: never[]) => Promise<unknown>)(...args);
      },
    });
  return { calls, steps };
}
const options = { provider: 'supabase', verify: 'none' } as const;

describe('the four steps of one file', () => {
  test('come in their order, and the answer names the stored object', async () => {
    const { calls, steps } = recorded();
    expect(await uploadFile(steps, options)).toEqual({
      outcome: 'uploaded',
      fileId: 'f',
      ...content,
      provider: 'supabase',
      providerFileId: 'stored',
      verified: 'none',
    });
    expect(calls).toEqual(['hash', 'claim', 'store', 'record']);
  });

  test('send nothing when the content is there already', async () => {
    const { calls, steps } = recorded({ claim: async () => completed });
    expect(await uploadFile(steps, options)).toMatchObject({ outcome: 'deduplicated', providerFileId: 'there' });
    expect(calls).toEqual(['hash', 'claim', 'record']);
  });

  test('are told as an upload when an earlier attempt of the very same one got as far as the record', async () => {
    const { steps } = recorded({ claim: async () => ({ ...completed, byUs: true }) });
    expect(await uploadFile(steps, options)).toMatchObject({ outcome: 'uploaded', providerFileId: 'there' });
  });

  test('give the claim up when the provider fails for good, and pass its error on', async () => {
    const refused = new UploadError('no room', { code: 'insufficient_storage' });
    const { calls, steps } = recorded({ store: () => Promise.reject(refused) });
    await expect(uploadFile(steps, options)).rejects.toBe(refused);
    expect(calls).toEqual(['hash', 'claim', 'store', 'give up: insufficient_storage']);
  });

  test('begin again with a new hash when the file changed under our hands', async () => {
    let turn = 0;
    const { calls, steps } = recorded({
      store: async () => {
        turn += 1;
        if (turn === 1) throw new UploadError('changed', { code: 'file_changed' });
        return 'stored';
      },
    });
    expect(await uploadFile(steps, options)).toMatchObject({ outcome: 'uploaded' });
    expect(calls).toEqual(['hash', 'claim', 'store', 'give up: file_changed', 'hash', 'claim', 'store', 'record']);
  });

  test('refuse a file that never stops changing', async () => {
    const { calls, steps } = recorded({ store: () => Promise.reject(new UploadError('changed', { code: 'file_changed' })) });
    await expect(uploadFile(steps, options)).rejects.toMatchObject({ code: 'file_changed' });
    expect(calls.filter((call) => call === 'store')).toHaveLength(3);
  });

  test('ask again who is to send it when the claim was lost', async () => {
    let turn = 0;
    const { calls, steps } = recorded({ record: async () => ++turn > 1 });
    expect(await uploadFile(steps, options)).toMatchObject({ outcome: 'uploaded' });
    expect(calls.filter((call) => call === 'claim')).toHaveLength(2);
  });

  test('ask again, too, when the claim is taken over while the bytes are being sent', async () => {
    const taken = new UploadError('taken over', { code: 'claim_lost' });
    const { calls, steps } = recorded({
      claim: async () => (calls.includes('store') ? completed : claimed),
      store: () => Promise.reject(taken),
    });
    expect(await uploadFile(steps, options)).toMatchObject({ outcome: 'deduplicated', providerFileId: 'there' });
    expect(calls).toEqual(['hash', 'claim', 'store', 'give up: claim_lost', 'hash', 'claim', 'record']);
  });

  test('say so when the claim is lost again and again', async () => {
    const { steps } = recorded({ record: async () => false });
    await expect(uploadFile(steps, options)).rejects.toMatchObject({ code: 'claim_lost' });
  });

  test('send a damaged copy once more after verification', async () => {
    let turn = 0;
    const { calls, steps } = recorded({
      verify: async () => {
        if (++turn === 1) throw new UploadError('damaged', { code: 'verification_failed' });
      },
    });
    expect(await uploadFile(steps, { ...options, verify: 'download' })).toMatchObject({ verified: 'download' });
    expect(calls.filter((call) => call === 'store')).toHaveLength(2);
  });
});
