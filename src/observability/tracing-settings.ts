/** The standard variables (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables), as far as they switch traces on. */

export interface TracingSettings {
  on: boolean;
  /** What was asked for and is not done; null: nothing. */
  warning: string | null;
}

const OFF: TracingSettings = { on: false, warning: null };

/** Off unless an endpoint or the exporter `otlp` is named. Where spans go, and how many, the OpenTelemetry SDK reads by itself. */
export function tracingSettings(env: Readonly<Record<string, string | undefined>>): TracingSettings {
  const given = (name: string): string => env[name]?.trim().toLowerCase() ?? '';
  if (given('OTEL_SDK_DISABLED') === 'true') return OFF;
  const endpoint = given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') || given('OTEL_EXPORTER_OTLP_ENDPOINT');
  const exporters = given('OTEL_TRACES_EXPORTER');
  if (exporters === 'none' || (exporters === '' && endpoint === '')) return OFF;
  if (exporters !== '' && !exporters.split(',').some((name) => name.trim() === 'otlp'))
    return { on: false, warning: `OTEL_TRACES_EXPORTER=${exporters}: only otlp is there, so that no traces are sent` };
  const protocol = given('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') || given('OTEL_EXPORTER_OTLP_PROTOCOL');
  const warning =
    protocol === 'grpc'
      ? 'OTEL_EXPORTER_OTLP_PROTOCOL=grpc: traces are sent by HTTP with JSON, to the port for HTTP (4318 where nothing else is set)'
      : null;
  return { on: true, warning };
}
