import type { Audit } from '../audit.ts';
import { sha256 } from '../files.ts';
import { readStored } from '../stored.ts';
import type { Ramp } from './ramp.ts';
import type { Sent } from './traffic.ts';

const READERS = 6;

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
  const { doubled, doubleHolds, unfinished } = await readStored(ground);
  if (unfinished > 0) problems.push(`${unfinished} copies are neither completed nor given up`);
  const twice = doubled.length + doubleHolds;
  if (twice > 0) problems.push(`recorded twice: ${doubled.length} contents, ${doubleHolds} holds`);
  return { files: sent.length, arrived, twice, damaged, problems: problems.slice(0, 10) };
}
