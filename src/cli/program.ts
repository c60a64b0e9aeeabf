import { Command } from 'commander';
import { registerBackfill } from './backfill.ts';
import { registerBuckets } from './buckets.ts';
import { registerConfig } from './config.ts';
import type { CommandContext } from './context.ts';
import { registerDelete } from './delete.ts';
import { registerDemo } from './demo.ts';
import { registerDoctor } from './doctor.ts';
import { registerDown } from './down.ts';
import { registerDownload } from './download.ts';
import { registerEnsure } from './ensure.ts';
import { registerHold } from './hold.ts';
import { registerIds } from './ids.ts';
import { registerInfo } from './info.ts';
import { registerList } from './list.ts';
import { registerMcp } from './mcp.ts';
import { registerMigrate } from './migrate.ts';
import { registerProviders } from './providers.ts';
import { registerReady } from './ready.ts';
import { registerReconcile } from './reconcile.ts';
import { registerRestore } from './restore.ts';
import { registerRetention } from './retention.ts';
import { registerRollout } from './rollout.ts';
import { registerServe } from './serve.ts';
import { registerShadow } from './shadow.ts';
import { registerUp } from './up.ts';
import { registerUpload } from './upload.ts';
import { registerVerify } from './verify.ts';
import { registerWorker } from './worker.ts';

const EXIT_CODES = `
Exit codes: 0 done; 1 done, but something failed; 2 wrong usage or input;
3 Temporal or Supabase cannot be reached or refuses; 130 detached by Ctrl-C.
All settings come from the environment: npx cutover config`;

/** The command line. `exit` sets the exit code; commands do not end the process. */
export function createProgram(context: CommandContext, version: string, exit: (code: number) => void): Command {
  const { output } = context;
  const program = new Command('cutover')
    .description("Moves an application's files to another storage through durable workflows, without losing one.")
    .version(version, '-V, --version', 'print the version')
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.stdout.write(text),
      writeErr: (text) => output.stderr.write(text),
    })
    .addHelpText('after', EXIT_CODES);
  registerDemo(program, context, exit);
  registerUp(program, context, exit);
  registerDown(program, context, exit);
  registerWorker(program, context, exit);
  registerServe(program, context, exit);
  registerMcp(program, context);
  registerMigrate(program, context, exit);
  registerUpload(program, context, exit);
  registerDownload(program, context);
  registerList(program, context);
  registerInfo(program, context);
  registerEnsure(program, context);
  registerDelete(program, context);
  registerRestore(program, context);
  registerHold(program, context);
  registerIds(program, context, exit);
  registerReady(program, context, exit);
  registerBuckets(program, context);
  registerProviders(program, context);
  registerRollout(program, context, exit);
  registerShadow(program, context);
  registerRetention(program, context, exit);
  registerReconcile(program, context, exit);
  registerBackfill(program, context, exit);
  registerVerify(program, context, exit);
  registerConfig(program, context, exit);
  registerDoctor(program, context, exit);
  pointToHelp(program, 'npx cutover', output);
  return program;
}

/** Each command's errors point to its own help. */
function pointToHelp(command: Command, name: string, output: CommandContext['output']): void {
  command.configureOutput({
    outputError: (text, write) => write(`${text.trimEnd().replace(/^error:/, output.style('red', 'error:'))}\nSee: ${name} --help\n`),
  });
  for (const each of command.commands) pointToHelp(each, `${name} ${each.name()}`, output);
}
