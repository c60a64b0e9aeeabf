import { z } from 'zod';
import { float, integer } from './parsers.ts';
import { setting } from './setting.ts';

const multiplier = () => float({ min: 0.01, max: 100 });
const seconds = () => float({ min: 0.001, max: 86_400 });

/** How much longer each layer lasts than a small call to a provider; the order from the inside out. */
const LAYERS = [
  ['TOOL_TIMEOUT_SECONDS', 1],
  ['DAEMON_TIMEOUT_SECONDS', 2.25],
  ['SHIM_TIMEOUT_SECONDS', 3],
  ['CLIENT_TIMEOUT_SECONDS', 3.75],
] as const;

/** Time limits, each layer outlasting the one inside it: else the outer one gives up while the inner one is still at work. */
export function operationsSchema() {
  const variables = z.object({
    TOOL_TIMEOUT_SECONDS: setting(seconds(), { about: 'A small call to a provider (info, list, delete)', default: 30 }),
    DAEMON_TIMEOUT_SECONDS: setting(seconds(), {
      about: 'An activity attempt around it',
      default: null,
      shown: '2.25 × TOOL_TIMEOUT_SECONDS',
    }),
    SHIM_TIMEOUT_SECONDS: setting(seconds(), { about: 'Waiting for a workflow', default: null, shown: '3 × TOOL_TIMEOUT_SECONDS' }),
    CLIENT_TIMEOUT_SECONDS: setting(seconds(), { about: 'A caller of the CLI', default: null, shown: '3.75 × TOOL_TIMEOUT_SECONDS' }),
    THINKING_TIMEOUT_MULTIPLIER: setting(multiplier(), { about: 'All four, where the file is for a model that thinks long', default: 1.5 }),
    FAST_TIMEOUT_MULTIPLIER: setting(multiplier(), { about: 'All four, where it is for a fast one', default: 0.7 }),
    MAX_RETRY_ATTEMPTS: setting(integer({ min: 0, max: 10 }), { about: "Retries of a provider's call inside one activity", default: 3 }),
  });
  const schema = variables.transform((v, context) => {
    const [toolMs, daemonMs, shimMs, clientMs] = LAYERS.map(([name, factor]) => (v[name] ?? v.TOOL_TIMEOUT_SECONDS * factor) * 1000) as [
      number,
      number,
      number,
      number,
    ];
    [toolMs, daemonMs, shimMs, clientMs].forEach((ms, layer, all) => {
      const inside = all[layer - 1];
      const [name] = LAYERS[layer] ?? LAYERS[0];
      const [insideName] = LAYERS[layer - 1] ?? LAYERS[0];
      if (inside !== undefined && ms <= inside)
        context.addIssue({
          code: 'custom',
          path: [name],
          params: { with: LAYERS.map(([layer]) => layer) },
          message: `must be more than ${insideName}, which is ${inside / 1000}`,
        });
    });
    return {
      ...{ toolMs, daemonMs, shimMs, clientMs },
      multipliers: { standard: 1, thinking: v.THINKING_TIMEOUT_MULTIPLIER, fast: v.FAST_TIMEOUT_MULTIPLIER },
      maxRetryAttempts: v.MAX_RETRY_ATTEMPTS,
    };
  });
  return { title: 'Time limits', variables, schema };
}
