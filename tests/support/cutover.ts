import { inject } from 'vitest';
import { type Running, runOn } from './running.ts';

export type { Running } from './running.ts';

/** A worker (or several) of the product over the servers that all tests share. */
export function runCutover(env: Record<string, string> = {}, options: { workers?: number } = {}): Promise<Running> {
  return runOn({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') }, env, options);
}
