import type { Readable } from 'node:stream';
import { CommanderError } from 'commander';
import { type Config, type ConfigSource, loadConfig } from '../config/index.ts';
import { StackError } from '../stack/stack-error.ts';
import type { CommandContext } from './context.ts';
import { describeError, exitCodeOf } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { Output, type OutputStream } from './output.ts';
import { createProgram } from './program.ts';
import { openServices, type Services } from './services.ts';
import { version } from './version.ts';

export interface Invocation extends ConfigSource {
  argv: readonly string[];
  stdin: Readable & { isTTY?: boolean };
  stdout: OutputStream;
  stderr: OutputStream;
  signal: AbortSignal;
  /** Tests hand in their own. */
  services?: (config: () => Config) => Services;
}

/** Runs one command. @returns the exit code; nothing is thrown and the process is not ended. */
export async function run({ argv, env, cwd, stdin, stdout, stderr, signal, services: open = openServices }: Invocation): Promise<number> {
  const output = new Output({ stdout, stderr, color: (env.NO_COLOR ?? '') === '' });
  let config: Config | undefined;
  const load = (): Config => {
    if (config === undefined) {
      config = loadConfig({ env, cwd });
      for (const warning of config.warnings) output.warning(warning);
    }
    return config;
  };
  let services: Services | undefined;
  const context: CommandContext = {
    source: { env, cwd },
    output,
    input: stdin,
    signal,
    now: Date.now,
    config: load,
    services: () => (services ??= open(load)),
  };
  let code = 0;
  try {
    const program = createProgram(context, version(), (set) => {
      code = set;
    });
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    code = exitCodeOf(error, signal);
    // commander has told its own errors already. After Ctrl-C what fails then is no error.
    if (code === EXIT.interrupted) output.message(error instanceof StackError ? `${error.message}.` : 'Interrupted.');
    else if (!(error instanceof CommanderError))
      output.message(`${output.style('red', 'error:')} ${describeError(error, { debug: debugOf(env, config) })}`);
  } finally {
    await services?.close();
  }
  return code;
}

/** Also when the configuration itself is what is wrong. */
const debugOf = (env: ConfigSource['env'], config: Config | undefined): boolean =>
  config?.log.debug ?? /^(1|true|yes|on)$/i.test(env.CUTOVER_DEBUG ?? '');
