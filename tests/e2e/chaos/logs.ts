import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines } from '../../../src/stack/log-file.ts';

/** The end of every log of a stack, for the person who wonders what went wrong. */
export function logTails(stateDir: string, lines = 5): string[] {
  const logs = join(stateDir, 'logs');
  if (!existsSync(logs)) return [];
  return readdirSync(logs).flatMap((name) => lastLines(join(logs, name), lines).map((line) => `${name}: ${line.slice(0, 400)}`));
}
