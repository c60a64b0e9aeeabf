import type { Readable } from 'node:stream';
import type { Config, ConfigSource } from '../config/index.ts';
import type { Output } from './output.ts';
import type { Services } from './services.ts';

/** What a command is given; a test hands in its own. */
export interface CommandContext {
  source: ConfigSource;
  output: Output;
  input: Readable & { isTTY?: boolean };
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
  /** Milliseconds since 1970. */
  now: () => number;
  /** @throws ConfigError */
  config(): Config;
  services(): Services;
}
