import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Routing } from '../../src/domain/routing.ts';
import { patienceOf, stagingStore } from '../../src/facade/connect.ts';
import { createCounterparts } from '../../src/facade/counterparts.ts';
import { createFacade, type Facade, type FacadeFile } from '../../src/facade/facade.ts';
import type { FileService } from '../../src/facade/file-service.ts';
import { createMirrorer, type Mirrorer } from '../../src/facade/mirrorer.ts';
import { recordOutcomes } from '../../src/facade/outcome-recorder.ts';
import { folderStaging } from '../../src/facade/staging.ts';
import { createUnified, knownTo, type UnifiedOptions } from '../../src/facade/unified.ts';
import { createFileManager } from '../../src/manager/file-manager.ts';
import type { Running } from './running.ts';

export interface MirroredFacade {
  facade: Facade;
  mirrorer: Mirrorer;
  /** What is in force; a test changes it. */
  routing: Routing & { step: number };
  caller: { tool: string; userId: string };
  upload(text?: string, name?: string): Promise<FacadeFile>;
  /** Every id that the user is shown, page by page. */
  listed(): Promise<string[]>;
  /** What reached the caller of `onTrouble`. */
  troubles: unknown[];
  close(): Promise<void>;
}

/** The facade as `connectFacade` makes it, for a tool and a user of its own, in the stage that the test says. */
export function startMirrored(
  { config, client, stores, folder }: Running,
  legacy: FileService,
  { patience = patienceOf(config) }: { patience?: UnifiedOptions['patience'] } = {},
): MirroredFacade {
  const troubles: unknown[] = [];
  const onTrouble = (error: unknown): void => void troubles.push(error);
  const providerOf = () => 'supabase';
  const routing: MirroredFacade['routing'] = { master: true, tool: true, stage: 'dual_write', share: 0, step: 1 };
  const caller = { tool: `tool-${randomUUID().slice(0, 8)}`, userId: `user-${randomUUID().slice(0, 8)}` };
  const manager = createFileManager({ ...stores, uploads: async () => client, smartHandler: config.providers.smartHandler });
  const outcomes = recordOutcomes({ ledger: stores.rollouts, flushMs: 200 });
  const mirrorer = createMirrorer({
    ...{
      client: async () => client,
      mirrors: stores.mirrors,
      legacy,
      staging: stagingStore(config, stores),
      providerOf,
      outcomes,
      onTrouble,
    },
  });
  const facade = createFacade({
    legacy,
    unified: createUnified({ manager, ledger: stores.ledger, providerOf, patience, staging: folderStaging(join(folder, 'staging')) }),
    state: {
      routing: () => routing,
      setting: () => undefined,
      onChange: () => () => undefined,
      ready: async () => undefined,
      close: () => undefined,
    },
    outcomes,
    fallback: true,
    maxFileBytes: config.files.maxFileBytes,
    knows: (id, context) => knownTo(stores.ledger, id, context),
    counterparts: createCounterparts({ legacy, manager, mirrors: stores.mirrors, ledger: stores.ledger }),
    afterwards: mirrorer.afterwards,
    onTrouble,
  });
  return {
    ...{ facade, mirrorer, routing, caller, troubles },
    upload: (text = `content ${randomUUID()}`, name = 'note.txt') => facade.upload({ bytes: Buffer.from(text), name }, caller),
    async listed() {
      const ids: string[] = [];
      for (let after: string | null = null; ; ) {
        const page: Awaited<ReturnType<Facade['list']>> = await facade.list({ after, limit: 3 }, caller);
        ids.push(...page.files.map(({ id }) => id));
        after = page.next;
        if (after === null) return ids;
      }
    },
    async close() {
      await mirrorer.close();
      await outcomes.close();
    },
  };
}
