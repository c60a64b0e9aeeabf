import { setTimeout as delay } from 'node:timers/promises';
import type { Audit } from '../audit.ts';
import { sha256 } from '../files.ts';
import type { Playground } from '../playground.ts';
import { readSql, readStored, type Stored } from '../stored.ts';
import { type Ramp, TOOL } from './ramp.ts';
import type { Sent } from './traffic.ts';

const READERS = 6;

/** What nobody waits for any more goes on until it is tired of it. */
const SETTLED_MS = 90_000;

async function settled(ground: Playground): Promise<Stored> {
  for (const until = Date.now() + SETTLED_MS; ; await delay(1_000, null, { signal: ground.signal })) {
    const stored = await readStored(ground);
    if (stored.unfinished === 0 || Date.now() > until) return stored;
  }
}

/** Reads every file back through the application, whichever side holds it, and looks whether anything is there twice. */
export async function auditUploads({ ground, application }: Ramp, sent: readonly Sent[]): Promise<Audit & { files: number }> {
  const problems: string[] = [];
  const refused = sent.filter(({ answer }) => answer === null);
  if (refused.length > 0) problems.push(`${refused.length} callers saw an error, such as: ${refused[0]?.error}`);
  let arrived = 0;
  let damaged = 0;
  const left = sent.values();
  const reader = async (): Promise<void> => {
    for (const { answer, user, sha256: expected } of left) {
      if (answer === null) continue;
      const response = await fetch(`${application.url}/files/${encodeURIComponent(answer.id)}`, {
        headers: { 'x-user': user },
        signal: ground.signal,
      });
      const back = sha256(new Uint8Array(await response.arrayBuffer()));
      if (response.ok) arrived += 1;
      if (response.ok && back === expected) continue;
      if (response.ok) damaged += 1;
      problems.push(`${answer.id} of ${answer.servedBy} came back with ${response.status} ${response.ok ? 'as something else' : ''}`);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  const { doubled, doubleHolds, unfinished } = await settled(ground);
  if (unfinished > 0) problems.push(`${unfinished} copies are neither completed nor given up`);
  const [held] = await readSql(ground, (sql) => sql`select count(*)::int as n from public.file_references where tool = ${TOOL}`);
  const late = Number(held?.n) - sent.filter(({ answer }) => answer?.servedBy === 'unified').length;
  if (late > 0) ground.say(`${late} uploads were done by unified after legacy had answered instead`);
  const twice = doubled.length + doubleHolds;
  if (twice > 0) problems.push(`recorded twice: ${doubled.length} contents, ${doubleHolds} holds`);
  return { files: sent.length, arrived, twice, damaged, problems: problems.slice(0, 10) };
}
