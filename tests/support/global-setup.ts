import type { TestProject } from 'vitest/node';
import { scratchFolder, startOwnStack } from './stack.ts';

/** Starts the one stack of a test run; what is returned stops and removes it, also after failed tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = scratchFolder('tests');
  try {
    const stack = await startOwnStack(folder.path, {}, { log: (line) => console.log(line) });
    const { temporal, supabase, postgresUrl, stateDir } = stack;
    const { url, secretKey, publishableKey, jwtSecret } = supabase;
    if (temporal.uiUrl === null || publishableKey === null || jwtSecret === null || postgresUrl === null)
      throw new Error('the stack of the tests must be an embedded one');
    project.provide('temporal', { address: temporal.address, uiUrl: temporal.uiUrl });
    project.provide('supabase', { url, secretKey, publishableKey, jwtSecret });
    project.provide('postgresUrl', postgresUrl);
    project.provide('stateDir', stateDir);
    return async () => {
      await stack.stop();
      folder.remove();
    };
  } catch (error) {
    folder.remove();
    throw error;
  }
}
