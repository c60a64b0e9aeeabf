import type { Tool, ToolSettings } from '../config/index.ts';
import type { Routing } from '../domain/routing.ts';
import type { FacadeState, RolloutLedger } from '../ledger/rollout-ledger.ts';

/** A change of share reaches every facade within 5 s: half of that, and the time of one answer. */
const POLL_MS = 2_000;

export interface RoutingDefaults {
  enabled: boolean;
  tools: Readonly<Record<Tool, Pick<ToolSettings, 'enabled' | 'share'>>>;
}

export interface StateWatcher {
  /** What is in force for a tool now, and the step under which outcomes count. Never waits, never throws. */
  routing(tool: string): Routing & { step: number };
  /** What operators have set. */
  setting(key: string): unknown;
  /** Tells which tools have another stage or share from now on, until what it returns is called. */
  onChange(listener: (tools: string[]) => void): () => void;
  /** Resolves when the ledger has answered once, or could not. */
  ready(): Promise<void>;
  close(): void;
}

export interface WatcherOptions {
  ledger: Pick<RolloutLedger, 'facadeState'>;
  defaults: RoutingDefaults;
  onTrouble?: (error: unknown) => void;
  pollMs?: number;
}

/**
 * Asks the ledger every two seconds what is in force. While it is away the last answer stays; where there never was one, everything
 * goes to legacy. The switches come from the configuration alone.
 */
export function watchState({ ledger, defaults, onTrouble, pollMs = POLL_MS }: WatcherOptions): StateWatcher {
  let known: Map<string, FacadeState['rollouts'][number]> | null = null;
  let settings: FacadeState['settings'] = {};
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const listeners = new Set<(tools: string[]) => void>();
  const tools = Object.keys(defaults.tools);

  function routingOf(tool: string): Routing & { step: number } {
    const own = defaults.tools[tool];
    const switches = { master: defaults.enabled, tool: own?.enabled ?? false };
    const rollout = known?.get(tool);
    if (rollout !== undefined) return { ...switches, stage: rollout.stage, share: rollout.share, step: rollout.epoch };
    // No rollout was ever started: the configuration's share, as soon as the ledger has said so.
    return { ...switches, stage: 'live', share: known === null ? 0 : (own?.share ?? 0), step: 0 };
  }
  // Made once for each answer, not for each decision.
  const all = () => new Map(tools.map((tool) => [tool, routingOf(tool)]));
  let inForce = all();

  async function ask(): Promise<void> {
    try {
      const state = await ledger.facadeState();
      known = new Map(state.rollouts.map((rollout) => [rollout.tool, rollout]));
      settings = state.settings;
      const before = inForce;
      inForce = all();
      const changed = tools.filter((tool) => {
        const [was, is] = [before.get(tool), inForce.get(tool)];
        return was?.stage !== is?.stage || was?.share !== is?.share;
      });
      if (changed.length > 0) for (const listener of listeners) listener(changed);
    } catch (error) {
      onTrouble?.(error);
    }
    if (closed) return;
    timer = setTimeout(() => void ask(), pollMs);
    // Waiting for the next answer keeps no program alive.
    timer.unref();
  }
  const first = ask();
  return {
    routing: (tool) => inForce.get(tool) ?? routingOf(tool),
    setting: (key) => settings[key],
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    ready: () => first,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
