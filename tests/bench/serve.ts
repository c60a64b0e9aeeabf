import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pattern } from '../support/bodies.ts';
import { startCommand } from '../support/command.ts';
import { cleanEnv } from '../support/stack.ts';
import { peakBytes, resetPeak, residentBytes } from './processes.ts';
import { onStack } from './running-stack.ts';

const MIB = 1024 * 1024;
const mib = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;
const TOKEN = randomUUID();

/** How much `cutover serve` grows while 1 GiB goes through it, by either side and back. */
export async function memoryOfServe(): Promise<void> {
  for (const [side, share] of [
    ['legacy', 0],
    ['unified', 100],
  ] as const) {
    const env = {
      ...{
        MAX_FILE_SIZE_MB: '2048',
        ENABLE_UNIFIED_MANAGER: 'true',
        ENABLE_KIMI_MIGRATION: 'true',
        KIMI_ROLLOUT_PERCENTAGE: String(share),
      },
      ...{ CUTOVER_API_TOKEN: TOKEN, CUTOVER_API_PORT: '0', LEGACY_BUCKET: 'uploads', CUTOVER_LOG_LEVEL: 'warn' },
    };
    await onStack(1, env, async ({ folder, stack }) => {
      await makeBucket(stack.supabase, env.LEGACY_BUCKET);
      const { child, said, ended } = startCommand(['serve', '--json'], { cwd: folder, env: cleanEnv(folder, env) });
      try {
        while (!said.stdout.includes('\n')) await Promise.race([once(child.stdout ?? child, 'data'), ended]);
        const { url, pid } = JSON.parse(said.stdout) as { url: string; pid: number };
        await upload(url, 8 * MIB);
        resetPeak(pid);
        const before = residentBytes(pid);
        const started = performance.now();
        const file = await upload(url, 1024 * MIB);
        const uploadedAfter = (performance.now() - started) / 1000;
        const peak = peakBytes(pid);
        if (file.served_by !== side || file.fallback) throw new Error(`not served by ${side}: ${JSON.stringify(file)} ${said.stderr}`);
        resetPeak(pid);
        const bytes = await download(url, file.id);
        if (bytes !== 1024 * MIB) throw new Error(`${bytes} bytes came back`);
        console.log(
          `serve: 1 GiB to ${side} in ${uploadedAfter.toFixed(1)} s: before ${mib(before)}, highest ${mib(peak)} (${mib(peak - before)} more); read back: highest ${mib(peakBytes(pid))}`,
        );
      } finally {
        child.kill('SIGTERM');
        await ended;
      }
    });
  }
}

/** The old path keeps to a bucket that is there. */
async function makeBucket({ url, secretKey }: { url: string; secretKey: string }, id: string): Promise<void> {
  const headers = { apikey: secretKey, authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' };
  await fetch(`${url}/storage/v1/bucket`, { method: 'POST', headers, body: JSON.stringify({ id, name: id }) });
}

const headers = { authorization: `Bearer ${TOKEN}` };

async function upload(url: string, sizeBytes: number): Promise<{ id: string; served_by: string; fallback: boolean }> {
  const request = http.request(`${url}/files?name=large.bin&tool=kimi&user=bench`, {
    method: 'POST',
    headers: { ...headers, 'content-length': sizeBytes },
  });
  const answered = once(request, 'response');
  await pipeline(Readable.from(pattern(sizeBytes, sizeBytes % 251)), request);
  const [response] = (await answered) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  if (response.statusCode !== 201) throw new Error(`${response.statusCode}: ${text}`);
  return JSON.parse(text);
}

async function download(url: string, id: string): Promise<number> {
  const request = http.get(`${url}/files/${encodeURIComponent(id)}/content?tool=kimi&user=bench`, { headers });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  return bytes;
}
