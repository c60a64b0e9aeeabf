import { type Command, Option } from 'commander';
import { FileNotFoundError } from '../domain/errors.ts';
import { type ArmTraffic, countItem, judgeReadiness, NO_ITEMS, type Readiness, type ReadinessFacts } from '../domain/readiness.ts';
import type { IdMapping, Ledger } from '../ledger/ledger.ts';
import { migrationItems } from '../manager/migration-items.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { allMappings } from './ids-export.ts';
import { migrationId } from './options.ts';
import { duration } from './rollout-options.ts';

interface ReadyOptions {
  migration?: string;
  quietFor: number;
  requireTraffic?: boolean;
  json?: boolean;
}

const UNRESOLVED_SHOWN = 3;
const EPOCH = new Date(0).toISOString();

const HELP = `
It looks at the newest migration, or the one named: is it done, did every file arrive and was it verified, does every old id lead to
a copy that works now; and at the outcomes that facades report: was legacy quiet. Each line is ok, missing, or unknown, with what to
do. Where no facade reports, nobody knows whether legacy is quiet: that is said, and is a no only with --require-traffic.
Exit code: 0 GO, 1 NO-GO.`;

export function registerReady(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('ready')
    .description('say go or no-go before legacy is switched off, and what is still missing')
    .option('--migration <id>', 'judge this migration; default: the newest', migrationId)
    .addOption(
      new Option('--quiet-for <time>', 'how long nothing may have used legacy').argParser(duration).default(duration('24h'), '24h'),
    )
    .option('--require-traffic', 'no-go also where no facade has reported within that time')
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action(async (options: ReadyOptions) => exit(await runReady(context, options)));
}

/** @returns the exit code */
async function runReady(context: CommandContext, options: ReadyOptions): Promise<number> {
  const facts = await factsOf(context, options);
  const readiness = judgeReadiness(facts);
  if (options.json === true)
    await context.output.json({ migrationId: facts.migrationId, verdict: readiness.go ? 'go' : 'no-go', checks: readiness.checks });
  else await print(context, readiness);
  return readiness.go ? EXIT.ok : EXIT.failed;
}

async function print({ output }: CommandContext, { go, checks }: Readiness): Promise<void> {
  const colors = { ok: 'green', missing: 'red', unknown: 'yellow' } as const;
  for (const { name, status, detail, todo } of checks) {
    await output.data(`${output.style(colors[status], status.padEnd(8), output.stdout)} ${name.padEnd(11)} ${detail}`);
    if (todo !== null) await output.data(`${' '.repeat(21)}→ ${todo}`);
  }
  await output.data(output.style(['bold', go ? 'green' : 'red'], go ? 'GO' : 'NO-GO', output.stdout));
}

async function factsOf(context: CommandContext, { migration, quietFor, requireTraffic = false }: ReadyOptions): Promise<ReadinessFacts> {
  const client = await context.services().client();
  const { ledger } = await context.services().stores();
  const id = migration ?? (await client.listMigrations(1))[0]?.id ?? null;
  const state = id === null ? null : await client.migrationStatus(id).catch((error: unknown) => forgotten(ledger, id, error));
  let items = NO_ITEMS;
  const unresolved = { count: 0, first: [] as IdMapping[] };
  if (id !== null) {
    for await (const item of migrationItems(ledger, id)) {
      context.signal.throwIfAborted();
      items = countItem(items, item);
    }
    for await (const mapping of allMappings(ledger, id)) {
      context.signal.throwIfAborted();
      if (mapping.providerFileId !== null) continue;
      unresolved.count += 1;
      if (unresolved.first.length < UNRESOLVED_SHOWN) unresolved.first.push(mapping);
    }
  }
  return {
    migrationId: id,
    temporal: state === null ? null : { phase: state.phase, listed: state.totals.listed },
    ...{ items, unresolved, quietForMs: quietFor, requireTraffic },
    traffic: await trafficOf(ledger, new Date(context.now() - quietFor)),
  };
}

/** Null where Temporal has dropped a migration that the ledger remembers. @throws what Temporal's client said, where nobody knows it */
async function forgotten(ledger: Pick<Ledger, 'migrationItems'>, id: string, error: unknown): Promise<null> {
  if (error instanceof FileNotFoundError && (await ledger.migrationItems(id, { after: null, limit: 1 })).length > 0) return null;
  throw error;
}

/** Each arm that was ever used, with its operations since a time. */
async function trafficOf(ledger: Pick<Ledger, 'traffic'>, since: Date): Promise<ArmTraffic[]> {
  const [ever, lately] = await Promise.all([ledger.traffic(EPOCH), ledger.traffic(since.toISOString())]);
  const of = ({ tool, arm }: ArmTraffic) => lately.find((each) => each.tool === tool && each.arm === arm);
  return ever.map((each) => ({ ...each, operations: of(each)?.operations ?? 0 }));
}
