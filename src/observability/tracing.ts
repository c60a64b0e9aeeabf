import { NO_TRACING, type Tracing } from '../domain/tracing.ts';
import { tracingSettings } from './tracing-settings.ts';

export interface TracingOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** What the process is called where OTEL_SERVICE_NAME says nothing else. */
  service: string;
  warn: (message: string) => void;
}

/** Traces as the standard OTEL_ variables say. Where they say nothing, no package of OpenTelemetry is even loaded. */
export async function connectTracing({ env, service, warn }: TracingOptions): Promise<Tracing> {
  const { on, warning } = tracingSettings(env);
  if (warning !== null) warn(warning);
  return on ? (await import('./otlp-tracing.ts')).createOtlpTracing(service) : NO_TRACING;
}
