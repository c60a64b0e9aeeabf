import { z } from 'zod';
import { type MigrationSource, migrateWorkflowId } from '../../workflows/contract.ts';
import { type CutoverClient, newMigrationId } from '../client/cutover-client.ts';
import { followMigration } from '../client/follow.ts';
import { printable } from '../domain/format.ts';
import { progressLine } from '../domain/migration-line.ts';
import { outcomeOf, summaryOf } from '../domain/migration-outcome.ts';
import { FileUploadMetadata, MigrationItem, Verification } from '../domain/models.ts';
import { migrationItems } from '../manager/migration-items.ts';
import { leadsTo } from '../sources/allowed-folders.ts';
import { checkMigration } from '../sources/check-migration.ts';
import { sourceOf } from '../sources/named-source.ts';
import { type Source, sourceItems } from '../sources/source.ts';
import { behind, moreLine, pageOf } from './page.ts';
import type { Roots } from './roots.ts';
import { cursor, MigrationOutcome, next, reason, status } from './shapes.ts';
import { type Call, type Tool, type ToolContext, tool } from './tool.ts';
import { tellingProgress, waitSeconds } from './waiting.ts';

const migrationId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
    'must be 1 to 100 of A-Z, a-z, 0-9, dot, dash and underscore, and begin with a letter or digit',
  )
  .describe('the id of the migration');

const Followed = z.object({
  id: z.string(),
  workflowId: z.string(),
  url: z.string().nullable(),
  status,
  outcome: MigrationOutcome.nullable().describe('null: it goes on, and no worker has answered'),
  comeBack: z.string().nullable(),
});

/** Waits for a migration, at most so long, and tells what has come of it. */
async function followed(client: CutoverClient, id: string, seconds: number, call: Call, { now }: ToolContext) {
  const again = `follow_migration with id ${id} waits for it again, get_migration_status tells how far it is`;
  call.started(`Migration ${id} runs: ${again}`);
  const progress = tellingProgress(call, (state: Parameters<typeof progressLine>[0]) => progressLine(state, [], null));
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(seconds * 1000)]);
  const ended = await followMigration(client, id, { progress, signal, now, message: call.progress });
  call.signal.throwIfAborted();
  const about = { id, workflowId: migrateWorkflowId(id), url: client.migrationUrl(id) };
  if (ended === null)
    return { data: { ...about, status: 'running' as const, outcome: null, comeBack: again }, text: `Migration ${id} goes on: ${again}.` };
  return { data: { ...about, status: 'done' as const, outcome: outcomeOf(ended), comeBack: null }, text: summaryOf(ended, id) };
}

/** The source that was named, its files within the folders of this server, also those that a manifest or a link leads to. */
async function sourceWithin(given: string, roots: Roots): Promise<MigrationSource> {
  if (given.startsWith('provider:')) return await sourceOf(given, roots.folders[0] ?? '/');
  return await sourceOf(await roots.readable(given), '/');
}

async function refuseOutside(listing: Source, roots: Roots, signal: AbortSignal): Promise<void> {
  for await (const { source } of sourceItems(listing, signal))
    if (source?.kind === 'path') await roots.readable(await leadsTo(source.path));
}

const signal = (name: 'pause' | 'resume' | 'cancel', kind: 'sets' | 'destroys', description: string): Tool =>
  tool({
    name: `${name}_migration`,
    command: `migrate ${name}`,
    title: { pause: 'Pause a migration', resume: 'Resume a migration', cancel: 'Cancel a migration' }[name],
    description,
    kind,
    input: z.strictObject({ id: migrationId, reason }),
    output: z.object({ id: z.string(), signal: z.string(), reason: z.string().nullable() }),
    async run({ id, reason: why }, _, { world }) {
      const client = await world.services().client();
      if (name === 'pause') await client.pauseMigration(id, why);
      else if (name === 'cancel') await client.cancelMigration(id, why);
      else await client.resumeMigration(id);
      return {
        data: { id, signal: name, reason: why ?? null },
        text: `Migration ${id} was asked to ${name}. Look at it with: npx cutover migrate status`,
      };
    },
  });

export const MIGRATION_TOOLS: readonly Tool[] = [
  tool({
    name: 'start_migration',
    command: 'migrate',
    title: 'Start a migration',
    description:
      'Moves every file of a folder, a manifest or a provider to a provider, in a durable workflow: it comes to its end also when this call is cancelled or times out. What is there already is not sent again.',
    kind: 'begins',
    openWorld: true,
    input: z.strictObject({
      source: z
        .string()
        .min(1)
        .max(4096)
        .describe(
          'a folder or a manifest (.csv with a header, .jsonl, .ndjson) in the folders of this server, or provider:NAME[/BUCKET[/FOLDER]]',
        ),
      to: z.string().min(1).max(100).default('supabase').describe('the provider'),
      purpose: FileUploadMetadata.shape.purpose.describe('what the files are for'),
      concurrency: z.int().min(1).max(500).default(50).describe('files at once'),
      verify: Verification.default('none').describe('check each stored copy: by the size and hash on record, or by reading it back'),
      id: migrationId.optional().describe('names this migration; default: its time and four random digits'),
      wait_seconds: waitSeconds,
    }),
    output: Followed,
    async run({ source: given, to, purpose, concurrency, verify, id: named, wait_seconds }, call, context) {
      const { world, roots, now } = context;
      const source = await sourceWithin(given, roots);
      const stores = await world.services().stores();
      const listing = await checkMigration({ source, provider: to, verify, purpose }, stores.provider, call.signal);
      if (listing !== null && source.kind !== 'provider') await refuseOutside(listing, roots, call.signal);
      const client = await world.services().client();
      const { folders, kept } = roots;
      // What was looked at can be another when a worker reads it.
      const bounded = source.kind === 'provider' ? source : { ...source, within: { folders, kept } };
      const migration = { source: bounded, provider: to, concurrency, verify, purpose };
      const id = await client.startMigration({ ...migration, migrationId: named ?? newMigrationId(new Date(now())) });
      return await followed(client, id, wait_seconds, call, context);
    },
  }),

  tool({
    name: 'follow_migration',
    command: 'migrate --attach',
    title: 'Wait for a migration',
    description: 'Waits for the end of a migration that was started before, and tells how far it is meanwhile.',
    kind: 'reads',
    input: z.strictObject({ id: migrationId, wait_seconds: waitSeconds }),
    output: Followed,
    run: async ({ id, wait_seconds }, call, context) =>
      await followed(await context.world.services().client(), id, wait_seconds, call, context),
  }),

  tool({
    name: 'get_migration_status',
    command: 'migrate status',
    title: 'Status of a migration',
    description: 'How far a migration is, also one that has ended.',
    kind: 'reads',
    input: z.strictObject({ id: migrationId }),
    output: z.object({
      id: z.string(),
      url: z.string().nullable(),
      running: z.int().describe('files that are under way'),
      outcome: MigrationOutcome,
    }),
    async run({ id }, _, { world }) {
      const client = await world.services().client();
      const state = await client.migrationStatus(id);
      return {
        data: { id, url: client.migrationUrl(id), running: state.running, outcome: outcomeOf(state) },
        text: [`${state.phase} · ${progressLine({ ...state, phase: 'copying' }, [], null)}`, ...state.failures.map(failureLine)],
      };
    },
  }),

  tool({
    name: 'list_migrations',
    command: 'migrate list',
    title: 'List migrations',
    description: 'The migrations that Temporal still knows, the newest first.',
    kind: 'reads',
    input: z.strictObject({ limit: z.int().min(1).max(1000).default(20).describe('how many of the newest'), cursor }),
    output: z.object({ migrations: z.array(z.object({ id: z.string(), status: z.string(), startedAt: z.string() })), next }),
    async run({ limit, cursor: from }, _, { world }) {
      const found = await (await world.services().client()).listMigrations(limit);
      const all = found.map(({ id, status, startedAt }) => ({ id, status: status.toLowerCase(), startedAt: startedAt.toISOString() }));
      const keyOf = ({ id }: (typeof all)[number]) => id;
      const { items, next: following } = await pageOf(behind(all, keyOf, from), { keyOf, maxTokens: world.config().mcp.maxOutputTokens });
      return {
        data: { migrations: items, next: following },
        text:
          items.length === 0
            ? 'There are none.'
            : [...items.map(({ id, status, startedAt }) => `${id}  ${status}  ${startedAt}`), ...moreLine(following)],
      };
    },
  }),

  tool({
    name: 'list_migration_files',
    command: null,
    title: 'Files of a migration',
    description: 'What became of each file of a migration, by their paths: its report.',
    kind: 'reads',
    input: z.strictObject({
      id: migrationId,
      file_status: MigrationItem.shape.status.optional().describe('only those that ended so'),
      limit: z.int().min(1).max(10_000).optional().describe('how many at most'),
      cursor,
    }),
    output: z.object({ files: z.array(MigrationItem), next }),
    async run({ id, file_status: status, limit, cursor: from }, _, { world }) {
      const { ledger } = await world.services().stores();
      const items = migrationItems(ledger, id, { ...(status === undefined ? {} : { status }), from: from ?? null });
      const page = await pageOf(items, { keyOf: ({ path }) => path, limit, maxTokens: world.config().mcp.maxOutputTokens });
      const line = ({ path, status: ended, error }: MigrationItem) =>
        `${ended}  ${printable(path)}${error === null ? '' : `: ${printable(error)}`}`;
      return {
        data: { files: page.items, next: page.next },
        text: page.items.length === 0 ? 'There are no more.' : [...page.items.map(line), ...moreLine(page.next)],
      };
    },
  }),

  signal('pause', 'sets', 'Starts no more files until it is resumed; those under way finish.'),
  signal('resume', 'sets', 'Goes on after a pause.'),
  signal('cancel', 'destroys', 'Stops a migration for good; what has arrived stays.'),
];

const failureLine = ({ path, error }: { path: string; error: string }): string => `  ${printable(path)}: ${printable(error)}`;
