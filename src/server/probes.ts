import type { Client, Connection } from '@temporalio/client';
import { connectTemporal } from '../client/connect.ts';
import type { Config } from '../config/index.ts';
import { connectStores } from '../manager/stores.ts';
import { within } from '../manager/waiting.ts';

/** Whether what the facade stands on answers. */
export interface Probes {
  ledger(): Promise<boolean>;
  temporal(): Promise<boolean>;
  close(): Promise<void>;
}

/** Whoever asks for readiness waits no longer. */
const WITHIN_MS = 3_000;
/** Anybody may ask, so often that nothing behind us should be asked each time. */
const KNOWN_FOR_MS = 1_000;

export function createProbes(config: Config): Probes {
  const { rollouts } = connectStores(config);
  let client: Promise<Client> | undefined;
  async function askTemporal(): Promise<void> {
    client ??= connectTemporal(config.temporal);
    const connected = await client.catch((error: unknown) => {
      client = undefined;
      throw error;
    });
    const connection = connected.connection as Connection;
    await connection.withDeadline(Date.now() + WITHIN_MS, () =>
      connection.workflowService.describeNamespace({ namespace: config.temporal.namespace }),
    );
  }
  return {
    ledger: remembered(() => rollouts.facadeState()),
    temporal: remembered(askTemporal),
    async close() {
      await client?.then(
        (connected) => connected.connection.close(),
        () => undefined,
      );
    },
  };
}

/** Whether it answered in time, as of at most `KNOWN_FOR_MS` ago. */
function remembered(ask: () => Promise<unknown>): () => Promise<boolean> {
  let known: { answers: Promise<boolean>; atMs: number } | null = null;
  return () => {
    const now = performance.now();
    if (known === null || now - known.atMs > KNOWN_FOR_MS) known = { answers: answers(ask()), atMs: now };
    return known.answers;
  };
}

const answers = (work: Promise<unknown>): Promise<boolean> =>
  within(WITHIN_MS, work, () => new Error('no answer in time')).then(
    () => true,
    () => false,
  );
