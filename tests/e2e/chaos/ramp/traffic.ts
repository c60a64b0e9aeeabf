import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createBucketer, flagKey, isCovered } from '../../../../src/domain/bucketing.ts';
import { sha256 } from '../files.ts';

/** One upload, as its caller saw it. */
export interface Sent {
  user: string;
  sha256: string;
  startedMs: number;
  /** How long the caller waited. */
  ms: number;
  /** Null: the caller saw an error. */
  answer: { id: string; servedBy: 'legacy' | 'unified'; fallback: boolean } | null;
  error: string;
}

export interface Traffic {
  sent: readonly Sent[];
  /** Resolves when every caller has an answer. */
  stop(): Promise<readonly Sent[]>;
}

export interface TrafficOptions {
  /** At once. */
  callers?: number;
  /** Between two uploads of one caller. */
  gapMs?: number;
}

/** Users whom a share of `below` covers, and one of `from` does not. */
export function usersBetween(tool: string, from: number, below: number, count: number): string[] {
  const bucketOf = createBucketer(flagKey(tool));
  const users: string[] = [];
  for (let at = 0; users.length < count; at += 1) {
    const bucket = bucketOf(`user-${at}`);
    if (isCovered(bucket, below) && !isCovered(bucket, from)) users.push(`user-${at}`);
  }
  return users;
}

/** Callers who upload one small file after the other, for one user after the other. */
export function startTraffic(url: string, users: readonly string[], { callers = 4, gapMs = 50 }: TrafficOptions = {}): Traffic {
  const sent: Sent[] = [];
  const stopped = new AbortController();
  let next = 0;
  async function call(): Promise<void> {
    while (!stopped.signal.aborted) {
      const user = users[next % users.length] as string;
      next += 1;
      sent.push(await upload(url, user));
      await delay(gapMs, null, { signal: stopped.signal }).catch(() => undefined);
    }
  }
  const all = Promise.all(Array.from({ length: callers }, call));
  return {
    sent,
    async stop() {
      stopped.abort();
      await all;
      return sent;
    },
  };
}

export async function upload(url: string, user: string): Promise<Sent> {
  const body = `a file of ${user}: ${randomUUID()}\n`;
  const startedMs = Date.now();
  const of = (answer: Sent['answer'], error = ''): Sent => ({
    ...{ user, sha256: sha256(body), startedMs, ms: Date.now() - startedMs, answer, error },
  });
  try {
    const headers = { 'x-user': user, 'content-type': 'text/plain' };
    const response = await fetch(`${url}/files?name=note.txt`, { method: 'POST', body, headers });
    const text = await response.text();
    return response.status === 201 ? of(JSON.parse(text)) : of(null, `${response.status} ${text}`);
  } catch (error) {
    return of(null, String(error));
  }
}

/** Users whom unified had served when they called again, and legacy did, though nothing had failed. */
export function movedBack(sent: readonly Sent[]): string[] {
  const since = new Map<string, number>();
  for (const { user, answer, startedMs, ms } of sent)
    if (answer?.servedBy === 'unified') since.set(user, Math.min(since.get(user) ?? Number.POSITIVE_INFINITY, startedMs + ms));
  const back = sent.filter(
    ({ user, answer, startedMs }) =>
      answer?.servedBy === 'legacy' && !answer.fallback && startedMs > (since.get(user) ?? Number.POSITIVE_INFINITY),
  );
  return [...new Set(back.map(({ user }) => user))];
}

/** `legacy 812 (median 12 ms, 99 % 40 ms, longest 51 ms); unified …`. */
export function waits(sent: readonly Sent[]): string {
  const groups = Map.groupBy(sent, ({ answer }) => (answer === null ? 'an error' : answer.fallback ? 'legacy instead' : answer.servedBy));
  return [...groups]
    .map(([by, uploads]) => {
      const ms = uploads.map((each) => each.ms).sort((a, b) => a - b);
      const at = (share: number) => ms[Math.min(ms.length - 1, Math.floor(share * ms.length))];
      return `${by} ${ms.length} (median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${ms.at(-1)} ms)`;
    })
    .join('; ');
}

export const longestWait = (sent: readonly Sent[]): number => Math.max(0, ...sent.map(({ ms }) => ms));
