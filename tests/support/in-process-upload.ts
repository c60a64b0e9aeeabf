import { randomUUID } from 'node:crypto';
import type { FileOperationResult } from '../../src/domain/models.ts';
import { type Claimed, uploadFile } from '../../src/domain/upload-file.ts';
import type { UploadOrder } from '../../src/domain/upload-order.ts';
import { fileNameOf } from '../../src/manager/file-name.ts';
import type { UploadStepFunctions, UploadTarget } from '../../src/manager/upload-steps.ts';

/** What the workflow `upload` does, in this process: the same key while it runs is the same upload. */
export function createInProcessUploads(steps: UploadStepFunctions): (order: UploadOrder) => Promise<FileOperationResult> {
  const running = new Map<string, Promise<FileOperationResult>>();
  const context = { signal: new AbortController().signal };
  async function run(order: UploadOrder): Promise<FileOperationResult> {
    const { source, verify, ...rest } = order;
    const fileName = fileNameOf(source, order.reference.name);
    const target: UploadTarget = { ...rest, fileName, owner: order.idempotencyKey, idempotencyKey: randomUUID(), leaseSeconds: 60 };
    const destination = { provider: order.provider, name: fileName, purpose: order.reference.purpose, verify };
    return await uploadFile(
      {
        hash: () => steps.hash(source, destination, context),
        claim: async (content) => (await steps.claim(content, target)) as Claimed,
        store: (content, claim) => steps.store(source, content, claim, target, context),
        record: (claim, stored) => steps.record(claim, stored, target),
        verify: async (content, claim, id) => {
          if (verify !== 'none') await steps.verify(content, claim, id, verify, target, context);
        },
        giveUp: (claim, code) => steps.giveUp(claim, target, code),
      },
      { provider: order.provider, verify },
    );
  }
  return async (order) => {
    const joined = running.get(order.idempotencyKey) ?? run(order).finally(() => running.delete(order.idempotencyKey));
    running.set(order.idempotencyKey, joined);
    return await joined;
  };
}
