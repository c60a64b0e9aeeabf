import { type CutoverClient, connectClient } from '../../src/client/cutover-client.ts';
import type { Config } from '../../src/config/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { cleanEnv, scratchFolder, startOwnStack } from '../support/stack.ts';

export interface Bench {
  stack: Stack;
  config: Config;
  client: CutoverClient;
  folder: string;
  /** Of the one process of that name. */
  pid(name: string): number;
}

/** A stack with workers in a folder that goes away, for one bench. */
export async function onStack(workers: number, env: Record<string, string>, run: (bench: Bench) => Promise<void>): Promise<void> {
  const scratch = scratchFolder('bench');
  const stack = await startOwnStack(scratch.path, env, { workers });
  try {
    const config = loadConfig({ env: cleanEnv(scratch.path, env), cwd: scratch.path });
    const client = await connectClient(config);
    const pid = (name: string) => {
      const found = stack.processes().find((process) => process.name === name)?.pid;
      if (found === undefined || found === null) throw new Error(`no process ${name} in ${JSON.stringify(stack.processes())}`);
      return found;
    };
    await run({ stack, config, client, folder: scratch.path, pid });
    await client.close();
  } finally {
    await stack.stop();
    scratch.remove();
  }
}
