import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NewShadowComparison } from '../../src/client/shadow-client.ts';
import { shadowComparisonWorkflowId } from '../../workflows/contract.ts';
import { uploadOf } from '../support/bodies.ts';
import type { Running } from '../support/running.ts';

/** The ways of a shadow comparison. */
export async function shadowComparisons(
  { client, stores, temporal }: Running,
  isSaved: (way: string) => boolean,
  save: (way: string, workflowId: string) => Promise<void>,
): Promise<void> {
  const provider = stores.provider('supabase');
  const way = async (name: string, more: Partial<NewShadowComparison> = {}, meddle: (id: string) => Promise<void> = async () => {}) => {
    if (isSaved(name)) return;
    const { id } = await provider.upload(uploadOf(2000, Math.floor(Math.random() * 1e6)));
    await meddle(id);
    const operationId = `${name}-${randomUUID().slice(0, 4)}`;
    await client.startShadowComparison({
      ...{ tool: 'record', operation: 'upload', operationId, step: 1, staged: false, provider: 'supabase' },
      source: { kind: 'object', provider: 'supabase', id, sizeBytes: 2000, name: 'a.bin', mimeType: null },
      file: { name: 'a.bin', mimeType: null, purpose: 'storage' },
      control: { ok: true, ms: 5, result: { name: 'a.bin', sizeBytes: 2000, mimeType: 'application/octet-stream', sha256: null } },
      rules: { fields: null, ignore: ['id'], clean: { mimeType: 'essence' }, timing: null },
      candidateTimeoutMs: 20_000,
      breaker: { threshold: 0.5, minSamples: 1000, cooldownSeconds: 60 },
      ...more,
    });
    await temporal.workflow.getHandle(shadowComparisonWorkflowId(operationId)).result();
    await sleep(500);
    await save(name, shadowComparisonWorkflowId(operationId));
  };
  await way('shadow-comparison-matched');
  await way('shadow-comparison-mismatched', { control: { ok: true, ms: 5, result: { name: 'b.bin', sizeBytes: 1 } } });
  await way('shadow-comparison-timed-out', { candidateTimeoutMs: 1 });
  await way('shadow-comparison-legacy-failed', { control: { ok: false, code: 'unavailable', ms: 5 } });
  await way('shadow-comparison-deleted-meanwhile', {}, async (id) => {
    await provider.delete(id, AbortSignal.timeout(5000));
  });
  await way('shadow-comparison-staged', { staged: true });
}
