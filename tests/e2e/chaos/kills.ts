import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { auditMigration } from './audit.ts';
import type { Case, Findings } from './case.ts';
import { type Expected, putMany } from './files.ts';
import type { Playground } from './playground.ts';
import { countObjects } from './stored.ts';

const FILES = 500;
/** Shares of the contents that are stored when something is killed: during the work, never after it. */
const MOMENTS = [0.15, 0.4, 0.65];
const ID = 'chaos';

/** Kills parts of the stack while somebody follows a migration in the foreground, who must not notice more than a pause. */
function killing(name: string, victims: readonly (readonly string[])[]): Case {
  return {
    name,
    async run(ground) {
      const expected = putMany(ground.source, FILES);
      await ground.up();
      const migrating = ground.must(['migrate', ground.source, '--id', ID]);
      const kills = strike(ground, expected, victims);
      await Promise.all([migrating, kills]);
      return { files: FILES, ...(await kills), ...merged(await auditMigration(ground, ID, expected), (await kills).problems) };
    },
  };
}

/** Kills all that runs, starts the stack again, and again: nobody is there to follow, and the migration goes on by itself. */
const killingEverything: Case = {
  name: 'kill everything',
  async run(ground) {
    const expected = putMany(ground.source, FILES);
    await ground.up();
    await ground.must(['migrate', ground.source, '--id', ID, '--detach']);
    const { kills, problems } = await strike(ground, expected, ['everything', 'everything'], async () => {
      await ground.up();
    });
    return { files: FILES, kills, ...merged(await auditMigration(ground, ID, expected), problems) };
  },
};

const merged = (audit: Omit<Findings, 'files' | 'kills'>, problems: readonly string[]) => ({
  ...audit,
  problems: [...problems, ...audit.problems],
});

/** One kill at each moment. A moment that came too late is a problem: nothing would have been shown by it. */
async function strike(
  ground: Playground,
  expected: Expected,
  victims: readonly (readonly string[] | 'everything')[],
  afterwards: () => Promise<void> = async () => {},
): Promise<{ kills: number; problems: string[] }> {
  const contents = new Set(expected.values()).size;
  const objects = join(ground.stateDir, 'objects');
  const problems: string[] = [];
  let kills = 0;
  for (const [index, names] of victims.entries()) {
    while (countObjects(objects) < contents * (MOMENTS[index] ?? 1)) await delay(50, null, { signal: ground.signal });
    // Anywhere in a file's steps, not always behind the end of one.
    await delay(Math.random() * 500, null, { signal: ground.signal });
    const stored = countObjects(objects);
    const killed = await ground.kill(names);
    if (killed > 0) kills += 1;
    if (killed < (names === 'everything' ? 5 : names.length)) problems.push(`only ${killed} processes to kill: ${names}`);
    if (stored >= contents) problems.push(`killed too late: all ${stored} contents were stored`);
    ground.say(`${stored} of ${contents} contents were stored then`);
    await afterwards();
    await delay(2_000, null, { signal: ground.signal });
  }
  if (!existsSync(objects)) problems.push(`there are no objects in ${objects}`);
  return { kills, problems };
}

export const kills: readonly Case[] = [
  killing('kill a worker', [['worker-1'], ['worker-2'], ['worker-1']]),
  killing('kill Supabase', [['supabase'], ['postgres'], ['postgres', 'supabase']]),
  killing('kill Temporal', [['temporal'], ['temporal'], ['temporal']]),
  killingEverything,
];
