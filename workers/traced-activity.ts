import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import { TRACE_HEADER, type Tracing, tracePlaceOf } from '../src/domain/tracing.ts';
import { spanAttributes, workAttributes } from '../src/domain/work-attributes.ts';
import type { TraceSinks } from '../workflows/trace-interceptors.ts';

/** Each attempt of an activity is a span, where its workflow was started within a trace. */
export function tracedActivity(tracing: Tracing): ActivityInterceptorsFactory {
  return ({ info: { activityType, attempt, isLocal, workflowExecution } }) => ({
    inbound: {
      async execute(input, next) {
        const header = input.headers[TRACE_HEADER];
        const parent = header === undefined ? null : tracePlaceOf(defaultPayloadConverter.fromPayload(header));
        if (parent === null) return await next(input);
        const attributes = {
          'temporal.workflow_id': workflowExecution?.workflowId ?? '',
          'temporal.attempt': attempt,
          'temporal.local': isLocal,
          ...spanAttributes(workAttributes(input.args[0])),
        };
        return await tracing.span(`activity ${activityType}`, { kind: 'consumer', attributes, parent }, () => next(input));
      },
    },
  });
}

/** What workflows tell of their own spans; a replay tells nothing again. */
export const traceSinks = (tracing: Tracing): InjectedSinks<TraceSinks> => ({
  tracing: { ended: { fn: (_info, span) => tracing.ended(span), callDuringReplay: false } },
});
