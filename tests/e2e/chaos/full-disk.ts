import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { canMountSmallDisk, mountSmallDisk } from '../../support/small-disk.ts';
import { auditMigration, reportOf } from './audit.ts';
import type { Case } from './case.ts';
import { putMany } from './files.ts';
import type { Playground } from './playground.ts';

const MIB = 1024 * 1024;
const DISK_MIB = 600;
/** Less than the files need, and more than nothing: it runs full in the middle. */
const LEFT_MIB = 60;
const FILES = 500;
/** How long it stays full: Temporal, PostgreSQL and the workers all run into it. */
const FULL_MS = 15_000;

/**
 * The disk under the whole stack runs full in the middle of a migration. What did not fit is reported as that; once there is room
 * again all goes on by itself, and a second run brings what is missing.
 */
export const fullDisk: Case = {
  name: 'full disk',
  impossible: () => (canMountSmallDisk() ? null : 'it needs root and permission to mount a tmpfs'),
  async run(ground) {
    const { stateDir } = ground;
    mkdirSync(stateDir);
    const disk = mountSmallDisk(DISK_MIB, stateDir);
    if (disk === null) throw new Error('no tmpfs could be mounted');
    ground.atEnd(disk.remove);
    const expected = putMany(ground.source, FILES);
    await ground.up();
    const ballast = join(stateDir, 'ballast');
    writeFileSync(ballast, Buffer.alloc(free(stateDir) - LEFT_MIB * MIB));

    await ground.must(['migrate', ground.source, '--id', 'first', '--detach']);
    await untilFull(ground);
    await delay(FULL_MS, null, { signal: ground.signal });
    rmSync(ballast);
    ground.say(
      `up said: ${readFileSync(join(stateDir, 'logs', 'up.log'), 'utf8')
        .trim()
        .split('\n')
        .slice(-3)
        .join(' | ')}`,
    );

    const { items } = await reportOf(ground, 'first');
    const others = items.filter(({ status, errorCode }) => status === 'failed' && errorCode !== 'insufficient_storage');
    ground.say(`${items.filter(({ status }) => status === 'failed').length} files did not fit the first time`);
    await ground.must(['migrate', ground.source, '--id', 'second']);
    const audit = await auditMigration(ground, 'second', expected);
    for (const { path, error } of others.slice(0, 5)) audit.problems.push(`${path} failed for another reason than the disk: ${error}`);
    return { files: FILES, kills: 0, ...audit };
  },
};

const free = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
};

async function untilFull({ stateDir, signal }: Playground): Promise<void> {
  while (free(stateDir) > 4 * MIB) await delay(50, null, { signal });
}
