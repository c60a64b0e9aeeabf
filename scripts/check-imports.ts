import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Room → rooms it may import; a room not listed may be imported by `workers` and tests only. Types are checked too. */
const MAY: Record<string, readonly string[]> = {
  'src/domain': [],
  'src/config': ['src/domain'],
  'src/providers': ['src/domain', 'src/config'],
  'src/ledger': ['src/domain', 'src/config'],
  'src/sources': ['src/domain', 'src/providers', 'workflows/contract.ts'],
  'src/observability': ['src/domain', 'src/config'],
  'src/manager': ['src/domain', 'src/config', 'src/providers', 'src/ledger', 'src/sources'],
  'src/stack': ['src/domain', 'src/config', 'workflows/contract.ts'],
  'src/client': ['src/domain', 'src/config', 'workflows/contract.ts'],
  'src/facade': ['src/client', 'src/domain', 'src/config', 'src/manager', 'src/providers', 'src/ledger', 'src/sources'],
  'src/cli': ['src', 'workflows/contract.ts'],
  'src/server': ['src'],
  'src/mcp': ['src', 'workflows/contract.ts'],
  // The activities that an application runs itself, because they call its own code.
  'src/index.ts': ['src', 'workers/legacy-worker.ts'],
  workflows: ['src/domain', 'type activities'],
  activities: ['src', 'workflows/contract.ts'],
  workers: ['src', 'workflows', 'activities'],
  scripts: ['src'],
  tests: ['src', 'workflows', 'activities', 'workers', 'scripts'],
};
const within = (path: string, room: string) => path === room || path.startsWith(`${room}/`);
const roomOf = (path: string) => Object.keys(MAY).find((room) => within(path, room));
const files = globSync('{src,workflows,activities,workers,scripts,tests}/**/*.ts');
const graph = new Map<string, string[]>();
const faults: string[] = [];
for (const file of files) {
  const room = roomOf(file);
  if (room === undefined) {
    faults.push(`${file} is in no room`);
    continue;
  }
  const edges: string[] = [];
  for (const [, typeOnly, specifier] of readFileSync(file, 'utf8').matchAll(
    /^\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?['"](\.{1,2}\/[^'"]+)['"]/gm,
  )) {
    const target = join(dirname(file), specifier as string);
    if (!typeOnly) edges.push(target);
    if (!within(target, room) && !(MAY[room] ?? []).some((to) => within(target, to) || (typeOnly && to === `type ${roomOf(target)}`)))
      faults.push(`${file} must not import ${target}`);
  }
  graph.set(file, edges);
}
const done = new Set<string>();
function walk(file: string, path: readonly string[]): void {
  if (path.includes(file)) {
    faults.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    return;
  }
  if (done.has(file)) return;
  for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
  done.add(file);
}
for (const file of files) walk(file, []);
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exitCode = 1;
} else console.log(`${files.length} files, no forbidden import, no cycle`);
