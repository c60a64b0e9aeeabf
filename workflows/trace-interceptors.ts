import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { ContinueAsNew, proxySinks, type Sinks, type WorkflowInterceptorsFactory, workflowInfo } from '@temporalio/workflow';
import { belowSpan, type EndedSpan, spanErrorCode, TRACE_HEADER, type TracePlace, tracePlaceOf } from '../src/domain/tracing.ts';
import { spanAttributes, type WorkAttributes, workAttributes } from '../src/domain/work-attributes.ts';

/** Where a worker takes the spans of workflows. */
export interface TraceSinks extends Sinks {
  tracing: { ended(span: EndedSpan): void };
}

/**
 * Hands a trace on from whoever started the workflow to its activities and children, and tells of the workflow's own span when it ends.
 * A workflow that was started outside a trace is left as it is. Nothing here is a command, so that a replay comes to the same.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const { tracing } = proxySinks<TraceSinks>();
  /** Where this run was started, and below what its steps belong. */
  let startedAt: TracePlace | null = null;
  let within: TracePlace | null = null;
  let about: WorkAttributes = {};
  const handedOn = <T extends { headers: Headers }>(input: T, place: TracePlace | null): T =>
    place === null ? input : { ...input, headers: { ...input.headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(place) } };

  return {
    inbound: [
      {
        async execute(input, next) {
          about = workAttributes(input.args[0]);
          const header = input.headers[TRACE_HEADER];
          startedAt = header === undefined ? null : tracePlaceOf(defaultPayloadConverter.fromPayload(header));
          if (startedAt === null) return await next(input);
          const { runId, workflowId, workflowType, startTime } = workflowInfo();
          // A run's own id, so that no random number is taken that the workflow would have had.
          const spanId = runId.replaceAll('-', '').slice(-16);
          within = belowSpan(startedAt, spanId);
          const parent = startedAt;
          const ended = (errorCode: string | null) =>
            tracing.ended({
              ...{ name: `workflow ${workflowType}`, parent, spanId, startMs: startTime.getTime(), endMs: Date.now(), errorCode },
              attributes: { 'temporal.workflow_id': workflowId, 'temporal.run_id': runId, ...spanAttributes(about) },
            });
          try {
            const result = await next(input);
            ended(null);
            return result;
          } catch (error) {
            ended(error instanceof ContinueAsNew ? null : spanErrorCode(error));
            throw error;
          }
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(handedOn(input, within)),
        scheduleLocalActivity: (input, next) => next(handedOn(input, within)),
        startChildWorkflowExecution: (input, next) => next(handedOn(input, within)),
        // The next run stands beside this one.
        continueAsNew: (input, next) => next(handedOn(input, startedAt)),
        getLogAttributes: (input, next) => ({ ...next(input), ...about }),
      },
    ],
  };
};
