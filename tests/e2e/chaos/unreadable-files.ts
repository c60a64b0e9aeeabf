import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readDotenv } from '../../../src/config/layers.ts';
import { auditMigration } from './audit.ts';
import type { Case } from './case.ts';
import { type Expected, put } from './files.ts';

const program = fileURLToPath(new URL('../../../bin/cutover.js', import.meta.url));
const isRoot = process.getuid?.() === 0;

/** Somebody whom permissions bind: they do not bind root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (!isRoot) return undefined;
  const fields = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'))
    ?.split(':');
  return fields === undefined ? undefined : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** What a worker may not read or cannot follow is reported, and the others go on. The worker is not root. */
export const unreadableFiles: Case = {
  name: 'unreadable files',
  impossible() {
    const user = unprivileged();
    if (isRoot && user === undefined) return 'this system has no user nobody to run a worker as';
    const { status } = spawnSync(process.execPath, [program, '--version'], { ...user, cwd: '/', env: {} });
    return status === 0 ? null : 'the user nobody cannot read this repository';
  },
  async run(ground) {
    const { source } = ground;
    const expected: Expected = new Map();
    const secret: Expected = new Map();
    for (const name of ['before', 'folder/beside', 'zz behind']) put(expected, source, name, `readable ${name}`);
    put(secret, source, 'file that is locked', 'secret');
    put(secret, source, 'folder that is locked/inside', 'secret');
    for (const name of ['file that is locked', 'folder that is locked']) chmodSync(join(source, name), 0);
    symlinkSync('nowhere', join(source, 'link to nowhere'));
    symlinkSync('link in a circle', join(source, 'link in a circle'));

    await ground.up(0);
    const user = unprivileged();
    const home = join(ground.folder, 'home of the worker');
    mkdirSync(home, { mode: 0o777 });
    if (user !== undefined) chownSync(home, user.uid, user.gid);
    const stop = new AbortController();
    const settings = readDotenv(join(ground.stateDir, 'stack.env'));
    const { TEMPORAL_ADDRESS = '', SUPABASE_URL = '', SUPABASE_SECRET_KEY = '' } = settings;
    const worker = ground.cutover(['worker'], {
      env: { TEMPORAL_ADDRESS, SUPABASE_URL, SUPABASE_SECRET_KEY, CUTOVER_STATE_DIR: home, TMPDIR: home, HOME: home },
      until: stop.signal,
      ...(user === undefined ? {} : { user }),
    });
    try {
      const migrated = ground.cutover(['migrate', source, '--id', 'chaos']);
      const { code, stdout } = await Promise.race([
        migrated,
        worker.then((ran) => Promise.reject(new Error(`the worker ended with ${ran.code}: ${ran.stderr.trim()}`))),
      ]);
      const audit = await auditMigration(ground, 'chaos', expected, {
        'file that is locked': 'file_unreadable',
        'folder that is locked': 'file_unreadable',
        'link to nowhere': 'broken_link',
        'link in a circle': 'broken_link',
      });
      if (code !== 1 || !stdout.includes('file that is locked') || !stdout.includes('permission denied'))
        audit.problems.push(`it ended with ${code} and said: ${stdout}`);
      return { files: expected.size, kills: 0, ...audit };
    } finally {
      stop.abort();
      await worker;
      chmodSync(join(source, 'folder that is locked'), 0o700);
    }
  },
};
