import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, inject, vi } from 'vitest';
import { startCommand } from './command.ts';
import type { Running } from './running.ts';
import { cleanEnv } from './stack.ts';

export const API_TOKEN = 'token-of-the-end-to-end-tests';
/** Of the configuration; what the ledger says of a share goes before it. */
export const SWITCHES = { ENABLE_UNIFIED_MANAGER: 'true', ENABLE_KIMI_MIGRATION: 'true' };

/** The environment of a process beside the workers of a test: the shared servers, the test's own queue and buckets. */
export function envBeside(cutover: Running, more: Record<string, string> = {}): Record<string, string | undefined> {
  const { temporal, supabase } = cutover.config;
  return cleanEnv(cutover.folder, {
    ...SWITCHES,
    TEMPORAL_ADDRESS: inject('temporal').address,
    TEMPORAL_TASK_QUEUE: temporal.taskQueue,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: supabase.bucket,
    CUTOVER_API_TOKEN: API_TOKEN,
    CUTOVER_API_PORT: '0',
    ...more,
  });
}

export interface Served extends ReturnType<typeof startCommand> {
  url: string;
}

/** `cutover serve` as people start it, when it is ready. */
export async function startServe(cutover: Running, more: Record<string, string> = {}): Promise<Served> {
  const started = startCommand(['serve', '--json'], { cwd: cutover.folder, env: envBeside(cutover, more) });
  await vi.waitFor(() => expect(started.said.stdout, started.said.stderr).toMatch(/\n$/), { timeout: 30_000 });
  return { ...started, url: (JSON.parse(started.said.stdout) as { url: string }).url };
}

/** A program that prints its address as its first line. */
export async function startProgram(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
  const child: ChildProcess = spawn(command, [...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, errors] = [child.stdout, child.stderr].map((stream) => {
    const heard = { text: '' };
    stream?.setEncoding('utf8').on('data', (text: string) => {
      heard.text += text;
    });
    return heard;
  }) as [{ text: string }, { text: string }];
  await vi.waitFor(() => expect(out.text, errors.text).toMatch(/^http\S+\n/), { timeout: 30_000 });
  return {
    url: out.text.trim(),
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Puts a tool's share into the ledger, as a rollout would. */
export async function setShare({ stores }: Running, tool: string, share: number): Promise<void> {
  await stores.rollouts.decide({
    ...{ decisionId: randomUUID(), tool, decision: 'went_on', decidedBy: 'test', reason: 'test' },
    ...{ state: { stage: 'live', share, status: 'running', nextEpoch: true }, workflowId: null, runId: null, evidence: {} },
  });
}

export const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
