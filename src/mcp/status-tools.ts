import { z } from 'zod';
import { getStatus, Status } from '../config/index.ts';
import { formatBytes, printable } from '../domain/format.ts';
import { getProviderStatus, listAvailableProviders, type ProviderStatus as ProviderFacts } from '../manager/provider-status.ts';
import { behind, moreLine, pageOf } from './page.ts';
import { cursor, next, ProviderStatus } from './shapes.ts';
import { type Tool, tool } from './tool.ts';

const shown = ({ capabilities, ...status }: ProviderFacts) => {
  const { maxFileBytes, downloads, purposes, expiresAfterSeconds } = capabilities;
  return { ...status, maxFileBytes, downloads, purposes: purposes === null ? null : Object.keys(purposes), expiresAfterSeconds };
};

/** What is there, and how it is. */
export const STATUS_TOOLS: readonly Tool[] = [
  tool({
    name: 'list_providers',
    command: 'providers',
    title: 'Providers',
    description:
      'Where files can go: whether each is available, its circuit, its quota, its last error; and what a person has to set for the others.',
    kind: 'reads',
    openWorld: true,
    input: z.strictObject({
      name: z.string().min(1).max(100).optional().describe('one provider'),
      check: z.boolean().default(true).describe('ask the providers; false: only what the ledger and the workers know'),
      cursor,
    }),
    output: z.object({
      providers: z.array(ProviderStatus),
      unconfigured: z.array(z.object({ name: z.string(), variable: z.string().describe('what to set') })),
      next,
    }),
    async run({ name, check, cursor: from }, { signal }, { world, now }) {
      const stores = await world.services().stores();
      const asked = { signal, ask: check, now };
      const found = name === undefined ? await listAvailableProviders(stores, asked) : [await getProviderStatus(name, stores, asked)];
      const keyOf = (status: { name: string }) => status.name;
      const page = await pageOf(behind(found.map(shown), keyOf, from), { keyOf, maxTokens: world.config().mcp.maxOutputTokens });
      const unconfigured = name === undefined ? stores.providers.unconfigured() : [];
      const line = ({ name: of, available, trouble, circuit, ours }: (typeof page.items)[number]) =>
        `${of}: ${available === null ? 'not asked' : available ? 'available' : `not available (${printable(trouble?.message ?? '')})`}, circuit ${circuit.replace('_', ' ')}, ${ours.files} files of ours, ${formatBytes(ours.bytes)}`;
      return {
        data: {
          providers: page.items,
          unconfigured: unconfigured.map(({ name: absent, variable }) => ({ name: absent, variable })),
          next: page.next,
        },
        text: [
          ...page.items.map(line),
          ...unconfigured.map(({ name: absent, variable }) => `${absent}: not configured (${variable})`),
          ...moreLine(page.next),
        ],
      };
    },
  }),

  tool({
    name: 'get_status',
    command: 'config',
    title: 'Status of Cutover',
    description:
      'What is switched on, for whom, how long things may take, and where files can go, as this server was configured; no secret is in it. The shares and shadow settings in force are told by get_rollout_status and get_shadow_status.',
    kind: 'reads',
    input: z.strictObject({}),
    output: Status,
    async run(_, __, { world }) {
      const status = getStatus(world.config());
      const { switches, tools, providers, temporal, supabase } = status;
      const there = Object.entries(providers).flatMap(([name, { configured }]) => (configured ? [name] : []));
      return {
        data: status,
        text: [
          `unified manager ${switches.unifiedManager ? 'on' : 'off'}, fallback to legacy ${switches.fallbackToLegacy ? 'on' : 'off'}, shadow mode ${switches.shadowMode ? 'on' : 'off'}`,
          ...Object.entries(tools).map(
            ([name, { enabled, share }]) => `tool ${name}: ${enabled ? 'on' : 'off'}, ${share} % where no rollout was started`,
          ),
          `providers: ${there.length === 0 ? 'none' : there.join(', ')}`,
          `Temporal: ${temporal.address ?? 'not known'}; Supabase: ${supabase.url ?? 'not known'}`,
        ],
      };
    },
  }),
];
