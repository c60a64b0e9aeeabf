import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readDockerfile } from '../support/dockerfile.ts';
import { createTestDatabase } from '../support/postgrest.ts';

/**
 * The steps of the Dockerfile, taken from it and gone outside of a container, because no Docker engine is at hand. Instead of `npm ci
 * --omit=dev`, which takes a minute and the network, the packages are linked that it would install, as the lock file says. What is not
 * seen here: the base image, apt-get, and the root file system.
 */

const root = join(import.meta.dirname, '../..');
const instructions = readDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
const all = (name: string) => instructions.filter((each) => each.name === name).map(({ rest }) => rest);
const last = (name: string) => all(name).at(-1) ?? '';

const image = mkdtempSync(join(tmpdir(), 'cutover-image-'));
const at = (path: string) => join(image, path);
/** A command of the Dockerfile, with the folders of the image where they are here. */
const here = (text: string) => text.replaceAll(/(?<=^|['"( ])\/(app|state|work)\b/g, `${image}/$1`);
const node = at('bin/node');
/** Not root: the Dockerfile says USER node. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

const sources = all('COPY')
  .filter((rest) => !rest.startsWith('--from'))
  .flatMap((rest) => rest.split(/\s+/).slice(0, -1));

/** Hard links where the file system allows: some hundred megabytes. */
function link(paths: readonly string[], to: string): void {
  mkdirSync(to, { recursive: true });
  try {
    execFileSync('cp', ['-al', ...paths, to], { stdio: 'pipe' });
  } catch {
    execFileSync('cp', ['-a', ...paths, to]);
  }
}

beforeAll(() => {
  execFileSync('chmod', ['755', image]);
  for (const source of sources) cpSync(join(root, source), at(join('app', source)), { recursive: true });
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const byFolder = new Map<string, string[]>();
  for (const [path, { dev }] of Object.entries(packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev === true || !existsSync(join(root, path))) continue;
    byFolder.set(dirname(path), [...(byFolder.get(dirname(path)) ?? []), join(root, path)]);
  }
  for (const [folder, paths] of byFolder) link(paths, at(join('app', folder)));
  link([process.execPath], at('bin'));
  mkdirSync(at('work'));
}, 120_000);
afterAll(() => rmSync(image, { recursive: true, force: true }));

describe('the image', () => {
  it('takes every folder that it copies past .dockerignore, which lets nothing else in', () => {
    const ignore = readFileSync(join(root, '.dockerignore'), 'utf8').trim().split('\n');
    expect(ignore[0]).toBe('*');
    expect(
      ignore
        .slice(1)
        .map((line) => line.replace(/^!/, ''))
        .toSorted(),
    ).toEqual(sources.toSorted());
  });

  it('runs a pinned Node on glibc, as a normal user, and gives signals to it without a shell in between', () => {
    for (const base of all('FROM')) expect(base).toMatch(/^node:\d+\.\d+\.\d+-bookworm-slim( AS build)?$/);
    expect(last('USER')).toBe('node');
    expect([JSON.parse(last('ENTRYPOINT')), JSON.parse(last('CMD'))]).toEqual([['node', '/app/bin/cutover.js'], ['worker']]);
  });

  it('has no package in it that is for development only', () => {
    expect(existsSync(at('app/node_modules/zod'))).toBe(true);
    for (const name of ['vitest', 'typescript', '@biomejs', 'aimock']) expect(existsSync(at(`app/node_modules/${name}`)), name).toBe(false);
  });

  it('says its version as a user who may write nothing', () => {
    const [, ...entry] = JSON.parse(last('ENTRYPOINT')) as string[];
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    const said = execFileSync(node, [...entry.map(here), '--version'], {
      cwd: at('work'),
      env: { HOME: at('work') },
      encoding: 'utf8',
      ...user,
    });
    expect(said).toContain(version);
  });

  it('brings the ledger of a new database up to date, and leaves one that is', async () => {
    const database = await createTestDatabase(inject('postgresUrl'));
    const { hostname, port, username, password, pathname } = new URL(database.url);
    const migrate = () =>
      execFileSync(node, [at('app/src/stack/migrate-ledger.ts')], {
        env: {
          PGHOST: hostname,
          PGPORT: port,
          PGUSER: decodeURIComponent(username),
          PGPASSWORD: decodeURIComponent(password),
          PGDATABASE: pathname.slice(1),
        },
        encoding: 'utf8',
        ...user,
      });
    try {
      const files = readdirSync(join(root, 'supabase/migrations')).toSorted();
      expect(migrate()).toBe(`Applied ${files.length} migrations, up to ${files.at(-1)}.\n`);
      expect(migrate()).toBe('The ledger is up to date.\n');
    } finally {
      await database.drop();
    }
  });
});

describe('the worker of the image', () => {
  let worker: ChildProcess;
  let log = '';
  const env = {
    ...Object.fromEntries(
      last('ENV')
        .split(/\s+/)
        .map((pair) => [pair.split('=')[0], here(pair.split('=')[1] ?? '')]),
    ),
    HOME: at('work'),
    TEMPORAL_TASK_QUEUE: `image-${process.pid}`,
  };

  it('finds the workflows bundled, is ready, and ends on SIGTERM with 0 when it has let go', async () => {
    const bundling = all('RUN').find((rest) => rest.includes('workflowBundle'));
    execFileSync('sh', ['-c', here(bundling ?? 'false')], { env: { PATH: `${dirname(node)}:${process.env.PATH}` }, stdio: 'pipe' });
    const bundles = () => readdirSync(at('state/bundle')).map((file) => [file, statSync(at(`state/bundle/${file}`)).mtimeMs]);
    const made = bundles();
    expect(made).toHaveLength(1);

    const [, ...entry] = JSON.parse(last('ENTRYPOINT')) as string[];
    worker = spawn(node, [...entry.map(here), ...(JSON.parse(last('CMD')) as string[])], {
      cwd: at('work'),
      env: {
        ...env,
        TEMPORAL_ADDRESS: inject('temporal').address,
        SUPABASE_URL: inject('supabase').url,
        SUPABASE_SECRET_KEY: inject('supabase').secretKey,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    const ended = new Promise<number | null>((resolve) => worker.once('close', resolve));
    const ready = new Promise<void>((resolve) => {
      for (const stream of [worker.stdout, worker.stderr])
        stream?.setEncoding('utf8').on('data', (text: string) => {
          log += text;
          if (log.includes('"msg":"ready"')) resolve();
        });
    });
    await Promise.race([ready, ended.then((code) => Promise.reject(new Error(`it ended with ${code}:\n${log}`)))]);
    expect(bundles()).toEqual(made);

    const asked = Date.now();
    worker.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(log).toContain('"msg":"stopped"');
    expect(Date.now() - asked).toBeLessThan(10_000);
  }, 120_000);
});
