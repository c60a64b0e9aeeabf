import { type Logger, pino } from 'pino';

/** JSON lines on stderr, so that stdout stays free for data. `service` tells processes apart. */
export function createLogger(service: string, level: string): Logger {
  return pino(
    { level, base: { service, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
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
