import { existsSync } from 'node:fs';
import { cleanUp } from './clean-up.ts';
import { takeLock } from './lock.ts';
import { statePaths } from './paths.ts';

/** What is left of the reaper's shell once the supervisor is gone: stops what it left, unless somebody else has the folder by now. */
const [stateDir] = process.argv.slice(2);
if (stateDir !== undefined && existsSync(stateDir)) {
  const lock = await takeLock(stateDir, () => ({ state: 'cleaning', pid: process.pid }));
  if (lock !== null) {
    try {
      await cleanUp(statePaths(stateDir));
    } finally {
      await lock.release();
    }
  }
}
