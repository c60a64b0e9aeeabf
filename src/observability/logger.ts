import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { createRedactor, REDACTED } from './redact.ts';

export interface LoggerOptions {
  /** Lines for people instead of JSON. */
  terminal?: boolean;
  /** There, in colours. */
  color?: boolean;
  /** Values that must not be seen. */
  secrets?: readonly string[];
}

/** Fields that are secret by their name, wherever they are at most two deep. */
const SECRET_FIELDS = ['authorization', 'cookie', 'password', 'apiKey', 'apikey', 'secretKey', 'secretAccessKey', 'sessionToken', 'token'];

/** Of every line, and the same on all of them: a person at a terminal knows. */
const KNOWN_ON_A_TERMINAL = 'service,pid,sdkComponent,namespace,runId,activityId,isLocal,timestampNanos,target';

/** JSON lines on stderr, so that stdout stays free for data. `service` tells processes apart. No secret is in them. */
export function createLogger(
  service: string,
  level: string,
  { terminal = false, color = false, secrets = [] }: LoggerOptions = {},
): Logger {
  const stderr = pino.destination({ fd: 2, sync: true });
  const redacted = createRedactor(secrets);
  const readable = terminal
    ? prettyFactory({ colorize: color, translateTime: 'SYS:HH:MM:ss.l', ignore: KNOWN_ON_A_TERMINAL, singleLine: true })
    : (line: string) => line;
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: pino.stdSerializers.err },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: REDACTED },
    },
    { write: (line: string) => stderr.write(readable(redacted(line))) },
  );
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
type Level = keyof typeof LEVELS;

/** Temporal's SDK logs by the same logger. */
export function temporalLogger(log: Logger) {
  const at = (level: Level) => (message: string, meta?: object) => log[LEVELS[level]](meta ?? {}, message);
  return {
    log: (level: Level, message: string, meta?: object) => at(level)(message, meta),
    trace: at('TRACE'),
    debug: at('DEBUG'),
    info: at('INFO'),
    warn: at('WARN'),
    error: at('ERROR'),
  };
}
