import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationItem } from '../../../src/domain/models.ts';
import type { Expected } from './files.ts';
import type { Playground } from './playground.ts';
import { readBack, readStored } from './stored.ts';

/** What became of a migration, compared with what was there to move. */
export interface Audit {
  arrived: number;
  twice: number;
  damaged: number;
  /** What a person should look at, in words. */
  problems: string[];
}

const READERS = 4;

/**
 * Holds the report of a migration, the ledger and the bucket against the source.
 * @param failing paths that are meant to fail or to be skipped, with their codes
 */
export async function auditMigration(
  ground: Playground,
  id: string,
  expected: Expected,
  failing: Readonly<Record<string, string>> = {},
): Promise<Audit> {
  const problems: string[] = [];
  const { outcome, items } = await reportOf(ground, id);
  ground.say(JSON.stringify(outcome.totals));
  if (outcome.phase !== 'done') problems.push(`the migration is ${outcome.phase}`);

  const lines = new Map(items.map((item) => [item.path, item]));
  if (lines.size !== items.length) problems.push(`${items.length - lines.size} paths are in the report twice`);
  for (const [path, code] of Object.entries(failing))
    if (lines.get(path)?.errorCode !== code)
      problems.push(`${JSON.stringify(path)} should be reported as ${code}: ${JSON.stringify(lines.get(path) ?? null)}`);
  const strangers = items.filter(({ path }) => !expected.has(path) && failing[path] === undefined);
  if (strangers.length > 0) problems.push(`not expected in the report: ${JSON.stringify(strangers.slice(0, 3))}`);
  const { listed, uploaded, deduplicated, failed, skipped } = outcome.totals;
  const odd = Object.keys(failing).length;
  if (listed !== expected.size + odd || uploaded + deduplicated !== expected.size || failed + skipped !== odd)
    problems.push(`the totals do not fit ${expected.size} files: ${JSON.stringify(outcome.totals)}`);

  let arrived = 0;
  let damaged = 0;
  const left = [...expected].values();
  const hashes = new Map<string, Promise<string | null>>();
  const reader = async (): Promise<void> => {
    for (const [path, sha256] of left) {
      const item = lines.get(path);
      const said = item !== undefined && (item.status === 'uploaded' || item.status === 'deduplicated') && item.sha256 === sha256;
      if (!said || item.providerFileId === null) {
        problems.push(`${JSON.stringify(path)} did not arrive: ${JSON.stringify(item ?? null)}`);
        continue;
      }
      arrived += 1;
      if (!hashes.has(item.providerFileId)) hashes.set(item.providerFileId, readBack(ground, item.providerFileId));
      const back = await hashes.get(item.providerFileId);
      if (back === sha256) continue;
      damaged += 1;
      problems.push(`${JSON.stringify(path)} came back as ${back} instead of ${sha256}`);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));

  const contents = new Set(expected.values()).size;
  const stored = await readStored(ground);
  if (stored.unfinished > 0) problems.push(`${stored.unfinished} copies are neither completed nor given up`);
  if (stored.keys.length < contents || stored.onDisk < contents)
    problems.push(`${contents} contents, ${stored.keys.length} objects in the bucket, ${stored.onDisk} on the disk`);
  const twice = Math.max(stored.keys.length, stored.onDisk, contents) - contents + new Set(stored.doubled).size + stored.doubleHolds;
  if (twice > 0) problems.push(`stored twice: ${JSON.stringify({ contents, ...stored, keys: stored.keys.length })}`);
  return { arrived, twice, damaged, problems };
}

interface Outcome {
  phase: string;
  totals: Record<'listed' | 'uploaded' | 'deduplicated' | 'failed' | 'skipped', number>;
}

/** How a migration ended, as the command line tells it: waits for its end. */
export async function reportOf(ground: Playground, id: string): Promise<{ outcome: Outcome; items: MigrationItem[] }> {
  const report = join(ground.folder, `${id}.jsonl`);
  const { stdout, stderr, code } = await ground.cutover(['migrate', '--attach', id, '--json', '--report', report]);
  if (stdout === '') throw new Error(`cutover migrate --attach ${id} ended with ${code}: ${stderr.trim()}`);
  const outcome = JSON.parse(stdout) as Outcome;
  if ((code === 0) !== (outcome.phase === 'done' && outcome.totals.failed === 0))
    throw new Error(`the exit code ${code} does not fit ${stdout}`);
  const items = readFileSync(report, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as MigrationItem);
  return { outcome, items };
}
