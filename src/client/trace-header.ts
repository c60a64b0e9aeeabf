import type { WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { TRACE_HEADER, type TracePlace, type Tracing } from '../domain/tracing.ts';

/** Tells a workflow where in a trace it was started. */
export function tracedStarts(tracing: Tracing): WorkflowClientInterceptor {
  const withPlace = <T extends { headers: Headers }>(input: T): T => ({ ...input, headers: withTrace(input.headers, tracing.place()) });
  return {
    startWithDetails: (input, next) => next(withPlace(input)),
    signalWithStart: (input, next) => next(withPlace(input)),
  };
}

function withTrace(headers: Headers, place: TracePlace | null): Headers {
  return place === null ? headers : { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(place) };
}
