/** What those need to know of traces who take part in one. No spans are made here. */

/** A place in a trace, as it is handed on: W3C Trace Context (w3.org/TR/trace-context). */
export interface TracePlace {
  traceparent: string;
  tracestate?: string;
}

/** The header in which Temporal's own SDKs hand it on, so that workflows and clients in other languages take part. */
export const TRACE_HEADER = '_tracer-data';

/** Ids and names of ours and numbers: no names of files or people. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  kind?: 'internal' | 'server' | 'client' | 'consumer';
  attributes?: SpanAttributes;
  /** Where it belongs; absent: below the span that is under way here. */
  parent?: TracePlace | null;
  /** Whether it may be the first of a trace. Where it may not, and there is none, the work is done without a span. */
  begins?: boolean;
}

/** A span of work that has ended elsewhere, under an id that others may have been told already. */
export interface EndedSpan extends Required<Pick<SpanOptions, 'attributes'>> {
  name: string;
  parent: TracePlace;
  /** 16 hex digits. */
  spanId: string;
  startMs: number;
  endMs: number;
  /** Stable, of the error that it ended with; null: it went well. */
  errorCode: string | null;
}

export interface Tracing {
  /** Does the work in a span, which ends with it and has its error's code. Answers and throws what the work does. */
  span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T>;
  /** Of the span that is under way here; null: there is none. */
  place(): TracePlace | null;
  ended(span: EndedSpan): void;
  /** Sends what is left. */
  close(): Promise<void>;
}

export const NO_TRACING: Tracing = {
  span: (_name, _options, work) => work(),
  place: () => null,
  ended: () => undefined,
  close: async () => undefined,
};

/** The same trace, below another span of it. */
export function belowSpan({ traceparent, ...rest }: TracePlace, spanId: string): TracePlace {
  const [version, traceId, , flags] = traceparent.split('-');
  return { ...rest, traceparent: `${version}-${traceId}-${spanId}-${flags}` };
}

/** A header's content, where it is a place in a trace. */
export function tracePlaceOf(value: unknown): TracePlace | null {
  const { traceparent, tracestate } = (typeof value === 'object' && value !== null ? value : {}) as Partial<
    Record<keyof TracePlace, unknown>
  >;
  if (typeof traceparent !== 'string' || !/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)) return null;
  return { traceparent, ...(typeof tracestate === 'string' ? { tracestate } : {}) };
}

/** What a span says of an error: a message may name files. Temporal's failures carry the code of ours in their first detail. */
export function spanErrorCode(error: unknown): string {
  const { code, details, type, name } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const ofDetail = Array.isArray(details) ? (details[0] as { code?: unknown } | null)?.code : undefined;
  const [first] = [ofDetail, code, type, name].filter((each) => typeof each === 'string' && each !== '');
  return typeof first === 'string' ? first : 'unknown';
}
