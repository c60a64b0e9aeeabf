import { type Case, type Row, runCase } from './chaos/case.ts';
import { fullDisk } from './chaos/full-disk.ts';
import { kills } from './chaos/kills.ts';
import { manyFiles } from './chaos/many-files.ts';
import { ramps } from './chaos/ramp/index.ts';
import { specialFiles } from './chaos/special-files.ts';
import { formatTable, isOk } from './chaos/table.ts';
import { unreadableFiles } from './chaos/unreadable-files.ts';

/**
 * `npm run test:e2e [-- CASE…]` breaks things on purpose, on real stacks in scratch folders, and prints a table of what came of it.
 * Exit code 1: something was lost, damaged, doubled or left behind. It reads /proc, so it needs Linux.
 */

const CASES: readonly Case[] = [specialFiles, manyFiles, unreadableFiles, ...kills, fullDisk, ...ramps];

async function main(wanted: readonly string[], interrupted: AbortSignal): Promise<number> {
  const unknown = wanted.filter((name) => !CASES.some((one) => one.name.includes(name)));
  if (unknown.length > 0 || process.platform !== 'linux') {
    console.error(
      unknown.length > 0
        ? `There is no case ${unknown.join(', ')}. There are: ${CASES.map(({ name }) => name).join('; ')}`
        : 'This needs Linux.',
    );
    return 2;
  }
  const chosen = CASES.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  const rows: Row[] = [];
  for (const one of chosen) {
    if (interrupted.aborted) break;
    const why = one.impossible?.() ?? null;
    if (why !== null) {
      console.error(`${one.name}: skipped, because ${why}`);
      continue;
    }
    console.error(one.name);
    rows.push(await runCase(one, interrupted));
  }
  console.log(formatTable(rows));
  for (const { name, problems } of rows) for (const problem of problems) console.log(`${name}: ${problem}`);
  return rows.length > 0 && rows.every(isOk) && !interrupted.aborted ? 0 : 1;
}

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupt.abort(new Error(`interrupted by ${signal}`)));
process.exitCode = await main(process.argv.slice(2), interrupt.signal);
