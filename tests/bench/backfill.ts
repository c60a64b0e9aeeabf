import { createHash, randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { formatCount } from '../../src/domain/format.ts';
import { atOnce } from '../../src/manager/at-once.ts';
import { connectStores } from '../../src/manager/stores.ts';
import { backfillWorkflowId } from '../../workflows/contract.ts';
import { type Bench, onStack } from './running-stack.ts';
import { type Cost, costOf, sizesOf, tellScaling, traceOf } from './scaling.ts';

const SIZES = [1_000, 10_000];
const BUCKET = 'old-files';
/** One file in ten has the content of another one. */
const TWINS = 0.1;

/**
 * A backfill of 10,000 small files in Supabase Lite beside one of 1,000, through the whole workflow and one worker process; beside it a
 * plain loop that downloads and hashes a thousand of them, one after the other, and records nothing.
 */
export async function benchBackfill(args: readonly string[]): Promise<void> {
  const costs: Cost[] = [];
  for (const files of sizesOf(args, SIZES))
    await onStack(1, {}, async (bench) => {
      const contents = Math.round(files * (1 - TWINS));
      await plant(files, contents, bench);
      const plain = await plainLoop(Math.min(files, 1_000), bench);
      const runId = randomUUID();
      const { result, cost, said } = await costOf(files, bench, async () => {
        await bench.client.startBackfill({ runId, provider: 'supabase', bucket: BUCKET, batchSize: 100, dryRun: false });
        return await bench.client.runResult('backfill', runId);
      });
      const { hashed, duplicate } = result.outcomes;
      if (hashed !== contents || duplicate !== files - contents) throw new Error(JSON.stringify(result));
      console.log(`backfill: ${formatCount(files)} files, ${formatCount(duplicate)} duplicates: ${said}`);
      console.log(`  ${await traceOf(bench, backfillWorkflowId(runId))}`);
      console.log(`  a file in ${cost.ms.toFixed(2)} ms; a plain loop ${plain.toFixed(2)} ms: ${(cost.ms / plain).toFixed(2)} of it`);
      costs.push(cost);
    });
  tellScaling(costs);
}

/** Files as an application stored them, and its rows without a hash. */
async function plant(files: number, contents: number, { config, stack }: Bench): Promise<void> {
  const { url, secretKey } = config.supabase;
  const headers = { apikey: secretKey ?? '', authorization: `Bearer ${secretKey}` };
  const send = async (path: string, body: string, type: string) => {
    const answer = await fetch(`${url}/storage/v1/${path}`, { method: 'POST', headers: { ...headers, 'content-type': type }, body });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  await send('bucket', JSON.stringify({ id: BUCKET, name: BUCKET, public: false }), 'application/json');
  await atOnce(
    Array.from({ length: files }, (_, at) => at),
    16,
    (at) => send(`object/${BUCKET}/files/${at}`, `content ${at % contents} ${'.'.repeat(1_000)}`, 'text/plain'),
  );
  const sql = postgres(stack.postgresUrl ?? '', { max: 1, onnotice() {} });
  await sql`
    insert into public.files (storage_path, original_name, size_bytes, mime_type)
    select 'files/' || n, n || '.txt', 1000, 'text/plain' from generate_series(0, ${files - 1}::int) n`;
  await sql`analyze public.files`;
  await sql.end();
}

/** @returns ms for each file */
async function plainLoop(files: number, { config }: Bench): Promise<number> {
  const storage = connectStores(config).provider('supabase');
  const started = performance.now();
  for (let at = 0; at < files; at += 1) {
    const hash = createHash('sha256');
    const { chunks } = await storage.download(`${BUCKET}/files/${at}`, { signal: new AbortController().signal });
    for await (const chunk of chunks) hash.update(chunk);
    hash.digest('hex');
  }
  return (performance.now() - started) / files;
}
