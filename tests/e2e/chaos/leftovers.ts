import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What only a running stack has, or what is renamed or removed when it is complete. */
const TEMPORARY = /\.(tmp|part)$|\.(tmp|part)\./;
const OF_A_RUNNING_STACK = ['state/stack.env', 'state/processes.json', 'state/postgres/making', 'state/postgres/data/postmaster.pid'];

/** Paths in a scratch folder whose stack has stopped that should not be there any more. */
export function leftovers(folder: string): string[] {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) =>
    relative(folder, join(entry.parentPath, entry.name)),
  );
  return all.filter(
    (path) => !path.startsWith('source/') && (TEMPORARY.test(path) || path.startsWith('tmp/') || OF_A_RUNNING_STACK.includes(path)),
  );
}
