import type { ActivityInterceptors } from '@temporalio/worker';
import { workAttributes } from '../src/domain/work-attributes.ts';

/** What the SDK and we log within an activity carries whose work it is, beside the ids of Temporal that the SDK adds. One for each activity. */
export function loggedActivity(): ActivityInterceptors {
  let about: Record<string, unknown> = {};
  return {
    inbound: {
      execute(input, next) {
        about = { ...workAttributes(input.args[0]) };
        return next(input);
      },
    },
    outbound: {
      getLogAttributes(input, next) {
        // A token of a task is long, and tells nobody anything.
        const { taskToken: _, ...attributes } = next(input);
        return { ...attributes, ...about };
      },
    },
  };
}
