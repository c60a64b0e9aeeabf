import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type IdGenerator, RandomIdGenerator } from '@opentelemetry/sdk-trace-base';
import { type EndedSpan, spanErrorCode, type TracePlace, type Tracing } from '../domain/tracing.ts';

const KINDS = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER } as const;
const propagator = new W3CTraceContextPropagator();

/** Spans by OTLP over HTTP. Nothing of OpenTelemetry's global state is set, and an application's own span is gone on with. */
export function createOtlpTracing(service: string): Tracing {
  const ids = new GivenIds();
  const provider = new BasicTracerProvider({
    // What the environment says of the service counts.
    resource: resourceFromAttributes({ 'service.name': service }).merge(detectResources({ detectors: [envDetector] })),
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const tracer = provider.getTracer('cutover');
  const underWay = new AsyncLocalStorage<Context>();
  const here = (): Context => underWay.getStore() ?? context.active();
  const below = (place: TracePlace): Context => propagator.extract(ROOT_CONTEXT, place, defaultTextMapGetter);

  return {
    async span(name, { kind = 'internal', attributes = {}, parent, begins = false }, work) {
      const from = parent == null ? here() : below(parent);
      if (!begins && trace.getSpan(from) === undefined) return await work();
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes: { ...attributes } }, from);
      try {
        return await underWay.run(trace.setSpan(from, span), work);
      } catch (error) {
        failed(span, spanErrorCode(error));
        throw error;
      } finally {
        span.end();
      }
    },
    place() {
      const carrier: Partial<TracePlace> = {};
      propagator.inject(here(), carrier, defaultTextMapSetter);
      return carrier.traceparent === undefined ? null : { ...carrier, traceparent: carrier.traceparent };
    },
    ended({ name, parent, spanId, startMs, endMs, attributes, errorCode }: EndedSpan) {
      const span = ids.withSpanId(spanId, () =>
        tracer.startSpan(name, { attributes: { ...attributes }, startTime: startMs }, below(parent)),
      );
      if (errorCode !== null) failed(span, errorCode);
      span.end(endMs);
    },
    close: () => provider.shutdown(),
  };
}

function failed(span: Span, code: string): void {
  span.setAttribute('error.type', code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}

/** Random ids, but for a span whose id was given out before it was made. */
class GivenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #given: string | null = null;

  withSpanId<T>(spanId: string, make: () => T): T {
    this.#given = spanId;
    try {
      return make();
    } finally {
      this.#given = null;
    }
  }
  generateTraceId = (): string => this.#random.generateTraceId();
  generateSpanId = (): string => this.#given ?? this.#random.generateSpanId();
}
