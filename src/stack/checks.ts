import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Config } from '../config/index.ts';
import { messageOf } from '../domain/errors.ts';
import { formatBytes } from '../domain/format.ts';
import { type Check, failed, ok, warning } from './check.ts';
import { freeBytes, LEAST_FREE_BYTES } from './disk.ts';
import { statePaths } from './paths.ts';
import { isFree, PORT_NAMES, readPorts } from './ports.ts';
import { checkPostgres } from './postgres/check.ts';
import { abandonedHomes } from './postgres/shared-homes.ts';
import { runningProcesses } from './process-records.ts';
import { readStatus, type StackStatus } from './status.ts';
import { findProgram, findTemporal } from './temporal/binary.ts';
import { TEMPORAL_VERSION } from './temporal/version.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Looks at this machine and the state folder; starts and changes nothing. */
export async function checkMachine(config: Config, env: Environment): Promise<Check[]> {
  const running = await readStatus(config.stateDir);
  const embedsTemporal = config.temporal.address === null || config.temporal.embedded;
  const embedsSupabase = config.supabase.url === null || config.supabase.embedded;
  return [
    checkNode(),
    await checkTemporalSdk(),
    ...(embedsTemporal ? [await checkTemporalBinary(config.stack.cacheDir, env)] : []),
    ...(embedsSupabase ? [await checkPostgres(statePaths(config.stateDir), env)] : []),
    ...(embedsTemporal || embedsSupabase
      ? [checkDisk(config.stateDir), ...checkAbandoned(), checkState(config.stateDir, running), await checkPorts(config, running)]
      : []),
  ];
}

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const supported = major > 22 || (major === 22 && minor >= 18);
  const found = `${process.version} (${process.execPath})`;
  return supported ? ok('Node', found) : failed('Node', found, 'Install Node 22.18 or later: `npm ci` brings Node 24.');
}

async function checkTemporalSdk(): Promise<Check> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    await import('@temporalio/core-bridge');
    return ok('Temporal SDK', `its native part runs on ${platform}`);
  } catch (error) {
    return failed(
      'Temporal SDK',
      `its native part does not load on ${platform}: ${messageOf(error)}`,
      'Run `npm ci` again on this machine.',
    );
  }
}

async function checkTemporalBinary(cacheDir: string, env: Environment): Promise<Check> {
  const name = 'Temporal server';
  const binary = findTemporal(cacheDir, env);
  if (binary !== null)
    try {
      const { stdout } = await promisify(execFile)(binary.path, ['--version'], { timeout: 10_000 });
      return ok(name, `${stdout.trim()}, ${binary.path}`);
    } catch (error) {
      return failed(name, `${binary.path} does not run: ${messageOf(error)}`, 'Remove or replace that file, or set TEMPORAL_ADDRESS.');
    }
  const go = findProgram('go', env);
  return go === null
    ? failed(
        name,
        'no `temporal` on the PATH or in the cache, and no Go to build one',
        'Install the Temporal CLI (https://docs.temporal.io/cli) or Go (https://go.dev/dl), or set TEMPORAL_ADDRESS.',
      )
    : warning(
        name,
        `not installed yet; \`npx cutover up\` builds version ${TEMPORAL_VERSION} with ${go} once, in 2–3 minutes on an idle machine`,
      );
}

function checkDisk(stateDir: string): Check {
  let folder = stateDir;
  while (!existsSync(folder)) folder = dirname(folder);
  const free = freeBytes(folder);
  const found = `${formatBytes(free)} free in ${folder}`;
  return free < LEAST_FREE_BYTES
    ? failed('Disk', found, `The stack needs ${formatBytes(LEAST_FREE_BYTES)}: free some, or set CUTOVER_STATE_DIR to another disk.`)
    : ok('Disk', found);
}

function checkAbandoned(): Check[] {
  const abandoned = process.getuid?.() === 0 ? abandonedHomes() : [];
  return abandoned.map(({ home, stateDir }) =>
    warning('Abandoned data', `${home} belonged to ${stateDir}, which is gone`, `If it was deleted for good: rm -r ${home}`),
  );
}

function checkState(stateDir: string, running: StackStatus | null): Check {
  const name = 'State folder';
  if (!existsSync(stateDir)) return warning(name, `${stateDir} does not exist yet`, '`npx cutover up` makes it.');
  if (running?.state === 'cleaning') return warning(name, `${stateDir}: a killed stack is being cleaned up by pid ${running.pid}`);
  if (running !== null) {
    const services = running.services.map(
      ({ name: service, pid, state, restarts }) => `${service} ${pid ?? state}${restarts > 0 ? ` (restarted ${restarts}×)` : ''}`,
    );
    return ok(name, `${stateDir}: ${running.state}, pid ${running.pid}, since ${running.since}; ${services.join(', ')}`);
  }
  const left = runningProcesses(statePaths(stateDir).processes).map((record) => `${record.name} (${record.pid})`);
  return left.length > 0
    ? failed(
        name,
        `${stateDir}: no stack runs, but a killed one left ${left.join(', ')}`,
        '`npx cutover down` stops them; so does the next `npx cutover up`.',
      )
    : warning(name, `${stateDir}: no stack runs`, 'Start it with `npx cutover up`.');
}

async function checkPorts({ stateDir }: Config, running: StackStatus | null): Promise<Check> {
  const ports = readPorts(statePaths(stateDir).ports);
  const known = PORT_NAMES.flatMap((name) => (ports[name] === undefined ? [] : [{ name, port: ports[name] }]));
  const list = known.map(({ name, port }) => `${name} ${port}`).join(', ');
  if (known.length === 0) return ok('Ports', 'free ones are chosen at the first start');
  if (running !== null) return ok('Ports', list);
  const taken: string[] = [];
  for (const { name, port } of known) if (!(await isFree(port))) taken.push(`${name} ${port}`);
  return taken.length === 0
    ? ok('Ports', `${list} (free now)`)
    : warning('Ports', `taken by another program: ${taken.join(', ')}`, 'The next start chooses others.');
}
