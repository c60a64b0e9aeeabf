import type { Case } from '../case.ts';
import { failingRamps } from './failing.ts';
import { healthyRamp } from './healthy.ts';
import { killedWorkers } from './killed-workers.ts';
import { longPause } from './long-pause.ts';
import { noTraffic } from './no-traffic.ts';
import { outages } from './outages.ts';
import { signalledRamp } from './signals.ts';
import { unwellRamps } from './unwell.ts';

/** Ramps with the example application, users and two workers, of candidates good and bad, while parts of the stack are away. */
export const ramps: readonly Case[] = [
  healthyRamp,
  ...failingRamps,
  ...unwellRamps,
  ...outages,
  killedWorkers,
  signalledRamp,
  longPause,
  noTraffic,
];
