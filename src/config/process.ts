import type { ConfigSource } from './load.ts';

/** What this process was started with. The only place that reads `process.env`; entry points hand it on. */
export const processSource = (): ConfigSource => ({ env: process.env, cwd: process.cwd() });
