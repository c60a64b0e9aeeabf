import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { postgresHomes } from '../../src/stack/postgres/placement.ts';
import { abandonedHomes } from '../../src/stack/postgres/shared-homes.ts';
import { loadSecrets } from '../../src/stack/secrets.ts';
import { scratchFolder, startOwnStack } from '../support/stack.ts';

const isRoot = process.getuid?.() === 0;

test.runIf(isRoot)(
  'as root, below a folder that only root can enter, the database lives where its account can reach it, and survives restarts',
  { timeout: 60_000 },
  async () => {
    const folder = scratchFolder('unreachable');
    const stateDir = join(folder.path, '.cutover');
    mkdirSync(stateDir);
    expect(statSync(folder.path).mode & 0o077).toBe(0);
    const first = await startOwnStack(stateDir);
    await first.stop();
    const { instance } = loadSecrets(join(stateDir, 'secrets.json'));
    const { beside, shared } = postgresHomes(join(stateDir, 'postgres'), instance);
    expect(existsSync(join(shared, 'data', 'PG_VERSION'))).toBe(true);
    expect(existsSync(beside)).toBe(false);
    expect(statSync(shared).mode & 0o077).toBe(0);

    const log: string[] = [];
    const second = await startOwnStack(stateDir, {}, { log: (line) => log.push(line) });
    await second.stop();
    expect(log.join('\n')).not.toContain('Applied');
    expect(abandonedHomes().map(({ home }) => home)).not.toContain(shared);

    folder.remove();
    expect(abandonedHomes().map(({ home }) => home)).toContain(shared);
    const other = scratchFolder('unreachable-other');
    const third = await startOwnStack(other.path);
    await third.stop();
    other.remove();
    expect(existsSync(shared)).toBe(false);
  },
);
