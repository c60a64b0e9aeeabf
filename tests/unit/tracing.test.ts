import { describe, expect, test } from 'vitest';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import { belowSpan, NO_TRACING, spanErrorCode, tracePlaceOf } from '../../src/domain/tracing.ts';
import { workAttributes } from '../../src/domain/work-attributes.ts';
import { connectTracing } from '../../src/observability/tracing.ts';
import { tracingSettings } from '../../src/observability/tracing-settings.ts';

describe('Traces are', () => {
  test.each([
    ['off', {}],
    ['off', { OTEL_SERVICE_NAME: 'x' }],
    ['off', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
    ['off', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_SDK_DISABLED: 'true' }],
    ['off', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_TRACES_EXPORTER: 'none' }],
    ['on', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }],
    ['on', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:4318/v1/traces' }],
    ['on', { OTEL_TRACES_EXPORTER: 'otlp' }],
    ['on', { OTEL_TRACES_EXPORTER: 'console,otlp' }],
    ['on', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_SDK_DISABLED: 'false' }],
  ])('%s with %o', (state, env) => expect(tracingSettings(env)).toEqual({ on: state === 'on', warning: null }));

  test('off, and said to be, where an exporter is asked for that is not there', () => {
    expect(tracingSettings({ OTEL_TRACES_EXPORTER: 'zipkin' })).toEqual({ on: false, warning: expect.stringContaining('only otlp') });
  });

  test('on, with a word about it, where another protocol is asked for', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(tracingSettings(env)).toEqual({ on: true, warning: expect.stringContaining('4318') });
  });

  test('nothing but the work itself where they are off', async () => {
    const tracing = await connectTracing({ env: {}, service: 'x', warn: (message) => expect.fail(message) });
    expect(tracing).toBe(NO_TRACING);
    expect(await tracing.span('x', { begins: true }, async () => [7, tracing.place()])).toEqual([7, null]);
  });
});

const PLACE = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

test('A place below a span is in the same trace, and as much of it is sampled', () => {
  expect(belowSpan({ ...PLACE, tracestate: 'a=b' }, '0123456789abcdef')).toEqual({
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-0123456789abcdef-01',
    tracestate: 'a=b',
  });
});

test.each([null, undefined, 7, 'x', {}, { traceparent: 7 }, { traceparent: '00-xyz-1-01' }, { traceparent: `${PLACE.traceparent}\n` }])(
  'A header with %o is no place in a trace',
  (value) => expect(tracePlaceOf(value)).toBeNull(),
);

test('A header with a place is one, without what else it holds', () => expect(tracePlaceOf({ ...PLACE, baggage: 'x' })).toEqual(PLACE));

test('What a span says of an error is its code, not its message', () => {
  expect(spanErrorCode(new ProviderUnavailableError('ann.pdf', { code: 'timeout' }))).toBe('timeout');
  expect(spanErrorCode({ name: 'ApplicationFailure', type: 'UploadError', details: [{ code: 'file_changed' }] })).toBe('file_changed');
  expect(spanErrorCode({ name: 'ApplicationFailure', type: 'StillWaiting', details: [] })).toBe('StillWaiting');
  expect(spanErrorCode(new TypeError('x'))).toBe('TypeError');
  expect(spanErrorCode('a text')).toBe('unknown');
});

test('Whose work it is follows from the input, whichever it is, and names no file and no user', () => {
  const upload = {
    operationId: 'o',
    provider: 's3',
    reference: { tool: 'kimi', name: 'a.pdf', userId: 'ann' },
    source: { path: '/a.pdf' },
  };
  expect(workAttributes(upload)).toEqual({ operationId: 'o', provider: 's3', tool: 'kimi' });
  expect(workAttributes({ plan: { tool: 'kimi' } })).toEqual({ tool: 'kimi' });
  expect(workAttributes({ migrationId: 'm', provider: 's3' })).toEqual({ migrationId: 'm', provider: 's3' });
  for (const other of [undefined, null, 'text', 7, [], {}]) expect(workAttributes(other)).toEqual({});
});
