import { messageOf } from '../../../src/domain/errors.ts';
import type { Audit } from './audit.ts';
import { leftovers } from './leftovers.ts';
import { logTails } from './logs.ts';
import { openPlayground, type Playground } from './playground.ts';
import { orphans } from './processes.ts';

/** What a case did and found, beside what is looked for after every case. */
export interface Findings extends Audit {
  files: number;
  kills: number;
}

export interface Case {
  name: string;
  /** For one that needs more than the others. */
  withinMs?: number;
  /** Settings for everything in it. */
  env?: Record<string, string>;
  /** Starts the stack itself; whatever still runs afterwards is stopped. */
  run(ground: Playground): Promise<Findings>;
  /** Why it cannot be run here; null when it can. */
  impossible?(): string | null;
}

/** One line of the table. */
export interface Row extends Omit<Findings, 'problems'> {
  name: string;
  seconds: number;
  orphans: number;
  leftovers: number;
  /** Empty when all is well. */
  problems: string[];
}

const NOTHING: Findings = { files: 0, kills: 0, arrived: 0, twice: 0, damaged: 0, problems: [] };

const WITHIN_MS = 240_000;

/** Runs one case within its time, in a scratch folder that is gone afterwards with everything that ran there. */
export async function runCase(one: Case, interrupted: AbortSignal): Promise<Row> {
  const { withinMs = WITHIN_MS } = one;
  const began = Date.now();
  const timeout = AbortSignal.timeout(withinMs);
  const ground = openPlayground(one.name, one.env ?? {}, AbortSignal.any([timeout, interrupted]));
  let found = NOTHING;
  const problems: string[] = [];
  try {
    found = await one.run(ground);
    await ground.down();
  } catch (error) {
    problems.push(`${timeout.aborted ? `took more than ${withinMs / 1000} s: ` : ''}${messageOf(error)}`);
  }
  const cutShort = problems.length > 0;
  const left = cutShort ? [] : await orphans(ground.folder, ground.seen);
  const files = cutShort ? [] : leftovers(ground.folder);
  for (const { pid, command } of left) problems.push(`process ${pid} still runs: ${command}`);
  for (const path of files) problems.push(`left over: ${path}`);
  if (cutShort || found.problems.length > 0) for (const line of logTails(ground.stateDir)) ground.say(line);
  await ground.remove();
  return {
    ...found,
    name: one.name,
    seconds: (Date.now() - began) / 1000,
    orphans: left.length,
    leftovers: files.length,
    problems: [...found.problems, ...problems],
  };
}
