import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenSpan {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  name: string;
  failed: boolean;
  attributes: Record<string, unknown>;
  startMs: number;
  endMs: number;
}

export interface TraceCollector {
  url: string;
  spans: SeenSpan[];
  /** All that was sent, as it was sent. */
  said(): string;
  close(): Promise<void>;
}

type Json = Record<string, unknown>;
interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  status: { code?: number };
  attributes: { key: string; value: Json }[];
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}
interface Otlp {
  resourceSpans: { resource: { attributes: { key: string; value: Json }[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

/** Takes traces by OTLP over HTTP with JSON (opentelemetry.io/docs/specs/otlp). */
export async function startTraceCollector(): Promise<TraceCollector> {
  const spans: SeenSpan[] = [];
  let said = '';
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (request.url !== '/v1/traces') return void response.writeHead(404).end();
    said += body;
    for (const { resource, scopeSpans } of (JSON.parse(body) as Otlp).resourceSpans)
      for (const { spans: sent } of scopeSpans)
        for (const span of sent)
          spans.push({
            service: String(attributesOf(resource.attributes)['service.name']),
            traceId: span.traceId,
            spanId: span.spanId,
            parentSpanId: span.parentSpanId ?? null,
            name: span.name,
            failed: span.status.code === 2,
            attributes: attributesOf(span.attributes),
            startMs: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
            endMs: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
          });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    said: () => said,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const attributesOf = (attributes: readonly { key: string; value: Json }[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
