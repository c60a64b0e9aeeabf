import { createInterface } from 'node:readline/promises';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';

/**
 * Whether the person at the terminal says yes to what cannot be taken back.
 * @throws UsageError where there is no terminal to ask on
 */
export async function confirmed({ input, output, signal }: CommandContext, question: string): Promise<boolean> {
  if (input.isTTY !== true) throw new UsageError('This deletes. Give --yes to say that it is meant: there is no terminal to ask on');
  const reader = createInterface({ input, output: output.stderr });
  try {
    return /^y(es)?$/i.test((await reader.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    reader.close();
  }
}
