import { cleanUpIfLeft } from './clean-up.ts';

/** What becomes of the reaper's shell once the supervisor is gone: stops what it left, unless somebody else has the folder by now. */
const [stateDir] = process.argv.slice(2);
if (stateDir !== undefined) await cleanUpIfLeft(stateDir);
