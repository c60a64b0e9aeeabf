import { connectTemporal } from '../../src/client/connect.ts';
import { pagedStatusQuery } from '../../workflows/contract.ts';
import { cpuSecondsWithChildren, peakBytes, resetPeak, residentBytes } from './processes.ts';
import type { Bench } from './running-stack.ts';

/** For each file, in ms. The time is also that of everything else that the machine does. */
export interface Cost {
  ms: number;
  cpuMs: number;
}

const SERVERS = ['temporal', 'worker-1', 'supabase', 'postgres'];
const MIB = 1024 * 1024;

/** Sizes as they were asked for, or the bench's own. */
export function sizesOf(args: readonly string[], usual: readonly number[]): readonly number[] {
  const sizes = args.length > 0 ? args.map(Number) : usual;
  if (sizes.some((size) => !(size >= 100))) throw new Error(`a number of files from 100 on, not ${args.join(' ')}`);
  return sizes;
}

/** What some work costs, and how much more memory the worker had meanwhile than before. */
export async function costOf<T>(
  files: number,
  { pid }: Pick<Bench, 'pid'>,
  work: () => Promise<T>,
): Promise<{ result: T; cost: Cost; said: string }> {
  const cpu = () => SERVERS.reduce((sum, name) => sum + cpuSecondsWithChildren(pid(name)), 0);
  const worker = pid('worker-1');
  resetPeak(worker);
  const [cpuBefore, rssBefore, started] = [cpu(), residentBytes(worker), performance.now()];
  const result = await work();
  const ms = performance.now() - started;
  const used = cpu() - cpuBefore;
  const said = `${(ms / 1000).toFixed(1)} s (CPU ${used.toFixed(1)} s; worker ${(rssBefore / MIB).toFixed(0)} MiB, highest ${(peakBytes(worker) / MIB).toFixed(0)})`;
  return { result, cost: { ms: ms / files, cpuMs: (used * 1000) / files }, said };
}

/** How the last size compares with the first one. */
export function tellScaling(costs: readonly Cost[]): void {
  const [small, large] = [costs[0], costs.at(-1)];
  if (small === undefined || large === undefined || small === large) return;
  console.log(
    `  for each file, the last beside the first (linear: 1.00): time ${(large.ms / small.ms).toFixed(2)}, CPU of all servers ${(large.cpuMs / small.cpuMs).toFixed(2)}`,
  );
}

/** How long the history of a run of pages is, in its last run of the workflow, and how large its state, which `status` answers. */
export async function traceOf({ config }: Pick<Bench, 'config'>, workflowId: string): Promise<string> {
  const temporal = await connectTemporal(config.temporal);
  const handle = temporal.workflow.getHandle(workflowId);
  const [{ historyLength }, state] = [await handle.describe(), await handle.query(pagedStatusQuery)];
  await temporal.connection.close();
  return `${state.pages} pages in ${state.runs} ${state.runs === 1 ? 'run' : 'runs'} of the workflow, ${historyLength} events, ${JSON.stringify(state).length} bytes of status`;
}
