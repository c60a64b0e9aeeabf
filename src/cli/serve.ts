import type { Command } from 'commander';
import { secretValues } from '../config/index.ts';
import { createLogger } from '../observability/logger.ts';
import { warnOfOldLedger } from '../stack/old-ledger.ts';
import { aborted } from './aborted.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { version } from './version.ts';

export interface ServeOptions {
  json?: boolean;
}

export function registerServe(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('serve')
    .description('offer uploads, downloads and the rest over HTTP to applications in any language, until Ctrl-C')
    .option('--json', 'print one line of JSON when it is ready')
    .action(async (options: ServeOptions) => exit(await runServe(context, options)));
}

/** Serves until it is interrupted. @returns the exit code: 1 when requests had to be cut off */
export async function runServe({ config: load, source, output, signal }: CommandContext, { json }: ServeOptions): Promise<number> {
  const config = load();
  const { startApi } = await import('../server/serve.ts');
  const { connectTracing } = await import('../observability/tracing.ts');
  const log = createLogger('serve', config.log.level, {
    ...{ terminal: output.stderr.isTTY === true, color: config.log.color, secrets: secretValues(source) },
  });
  const tracing = await connectTracing({ env: source.env, service: 'cutover-api', warn: (message) => log.warn(message) });
  const { connectStores } = await import('../manager/stores.ts');
  const api = await startApi(config, { log, version: version(), tracing });
  void warnOfOldLedger(connectStores(config).ledger, log);
  const { url, stagingFolder } = api;
  const legacy = config.legacy.url ?? `bucket ${config.legacy.bucket}`;
  if (json === true) await output.json({ pid: process.pid, url, legacy, stagingFolder });
  else {
    const rows = [
      ['Address', url],
      ['Description', `${url}/openapi.json`],
      ['Old path', legacy],
      ['To workers by', stagingFolder ?? 'Supabase Storage'],
      ['To stop', 'Ctrl-C'],
    ];
    for (const [name = '', value = ''] of rows) await output.data(`  ${name.padEnd(14)} ${value}`);
  }
  await aborted(signal);
  output.message('Stopping: what is under way may finish…');
  const cut = await api.stop();
  await tracing.close();
  if (cut > 0) output.message(`${cut} requests were cut off: they took longer than CUTOVER_SHUTDOWN_GRACE_SECONDS.`);
  return cut > 0 ? EXIT.failed : EXIT.ok;
}
