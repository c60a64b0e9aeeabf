import { type Bucketer, createBucketer, flagKey } from '../domain/bucketing.ts';
import { type Route, type Routing, routeOf } from '../domain/routing.ts';
import type { StateWatcher } from './state-watcher.ts';

export interface Decision {
  route: Route;
  /** What was in force when it was taken, and the step under which its outcome counts. */
  routing: Routing & { step: number };
}

/** Who serves a user (null: a request without one) of a tool now: the one decision behind the facade and the flags. Never throws. */
export function createDecider(state: Pick<StateWatcher, 'routing'>, random: () => number) {
  const bucketers = new Map<string, Bucketer>();
  const bucketerOf = (tool: string): Bucketer => {
    const known = bucketers.get(tool);
    if (known !== undefined) return known;
    const bucketer = createBucketer(flagKey(tool));
    bucketers.set(tool, bucketer);
    return bucketer;
  };
  return (tool: string, user: string | null): Decision => {
    const routing = state.routing(tool);
    return { route: routeOf(routing, user, bucketerOf(tool), random), routing };
  };
}
