import type { ErrorCode, EvaluationContext, FlagValue, Provider, ResolutionDetails, ServerProviderEvents } from '@openfeature/server-sdk';
import { TOOLS } from '../config/index.ts';
import { flagKey } from '../domain/bucketing.ts';
import type { Arm } from '../domain/routing.ts';
import { createDecider } from './decide.ts';
import { createProviderEvents } from './openfeature-events.ts';
import type { StateWatcher } from './state-watcher.ts';

/** Of the SDK only the types are imported, so that who does not use it need not have it. */
const CONFIGURATION_CHANGED = 'PROVIDER_CONFIGURATION_CHANGED' as ServerProviderEvents;

export interface OpenFeatureOptions {
  /** 0 to 1; decides where there is no targeting key. */
  random?: () => number;
}

/**
 * The facade's decisions as a provider of OpenFeature's server SDK. The flag `cutover.<tool>` is true, or `unified`, for whom unified
 * serves and false, or `legacy`, for all others; the targeting key is the user's id. The reason is that of the route, and the flag's
 * metadata are the tool's `stage` and `share`.
 */
export function createOpenFeatureProvider(state: StateWatcher, { random = Math.random }: OpenFeatureOptions = {}): Provider {
  const decide = createDecider(state, random);
  const events = createProviderEvents();
  const tools = new Map<string, string>(TOOLS.map((tool) => [flagKey(tool), tool]));
  let unsubscribe: (() => void) | undefined;

  function resolve<T extends FlagValue>(
    key: string,
    whenFailed: T,
    { targetingKey }: EvaluationContext,
    asValue: ((arm: Arm) => T) | null,
  ): ResolutionDetails<T> {
    const failed = (code: `${ErrorCode}`, errorMessage: string): ResolutionDetails<T> => ({
      value: whenFailed,
      reason: 'ERROR',
      errorCode: code as ErrorCode,
      errorMessage,
    });
    const tool = tools.get(key);
    if (tool === undefined) return failed('FLAG_NOT_FOUND', `There is no flag ${key}; there are: ${[...tools.keys()].join(', ')}`);
    if (asValue === null) return failed('TYPE_MISMATCH', `${key} is a boolean, or one of the strings legacy and unified`);
    // Programs without types can hand over anything.
    const user: unknown = targetingKey ?? null;
    if (user !== null && typeof user !== 'string') return failed('INVALID_CONTEXT', `The targeting key is a ${typeof user}, not a string`);
    const { route, routing } = decide(tool, user);
    const { stage, share } = routing;
    return { value: asValue(route.arm), variant: route.arm, reason: route.reason, flagMetadata: { stage, share } };
  }

  return {
    metadata: { name: 'cutover' },
    runsOn: 'server',
    events,
    async initialize() {
      unsubscribe ??= state.onChange((changed) => events.emit(CONFIGURATION_CHANGED, { flagsChanged: changed.map(flagKey) }));
      await state.ready();
    },
    async onClose() {
      unsubscribe?.();
      unsubscribe = undefined;
    },
    resolveBooleanEvaluation: async (key, value, context) => resolve(key, value, context, (arm) => arm === 'unified'),
    resolveStringEvaluation: async (key, value, context) => resolve<string>(key, value, context, (arm) => arm),
    resolveNumberEvaluation: async (key, value, context) => resolve(key, value, context, null),
    resolveObjectEvaluation: async (key, value, context) => resolve(key, value, context, null),
  };
}
