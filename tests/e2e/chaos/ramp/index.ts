import type { Case } from '../case.ts';
import { failingRamps } from './failing.ts';
import { healthyRamp } from './healthy.ts';
import { killedWorkers, outages } from './outages.ts';
import { steeredRamps } from './steering.ts';
import { unwellRamps } from './unwell.ts';

/** Ramps with the example application, users and two workers, of candidates good and bad, while parts of the stack are away. */
export const ramps: readonly Case[] = [healthyRamp, ...failingRamps, ...unwellRamps, ...outages, killedWorkers, ...steeredRamps];
