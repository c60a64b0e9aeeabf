import type { Command } from 'commander';
import { formatBytes, printable } from '../domain/format.ts';
import { describeUse, NEARLY_FULL } from '../domain/quota.ts';
import type { ProviderStatus } from '../manager/provider-status.ts';
import type { CommandContext } from './context.ts';

interface ProvidersOptions {
  check: boolean;
  json?: boolean;
}

/** `providers [NAME]`. A provider that is down is information: the exit code stays 0. */
export function registerProviders(program: Command, context: CommandContext): void {
  program
    .command('providers')
    .description('where files can go: availability, circuit, quota, last error; and what to set for the others')
    .argument('[name]', 'one provider, with all that it can do')
    .option('--no-check', 'do not ask the providers; only what the ledger and the workers know')
    .option('--json', 'print a JSON document for each')
    .action(async (name: string | undefined, options: ProvidersOptions) => await runProviders(context, name, options));
}

async function runProviders(context: CommandContext, name: string | undefined, { check, json = false }: ProvidersOptions): Promise<void> {
  const { output, signal } = context;
  const { getProviderStatus, listAvailableProviders } = await import('../manager/provider-status.ts');
  const stores = await context.services().stores();
  const asked = { signal, ask: check, now: context.now };
  if (name !== undefined) {
    const status = await getProviderStatus(name, stores, asked);
    if (json) return await output.json(status);
    for (const [what, value] of details(status)) await output.data(`${what.padEnd(12)}${printable(value)}`);
    return;
  }
  const statuses = await listAvailableProviders(stores, asked);
  const missing = stores.providers.unconfigured();
  if (json) {
    for (const status of statuses) await output.json(status);
    for (const { name: absent, variable } of missing) await output.json({ name: absent, configured: false, variable });
    return;
  }
  await output.table(['PROVIDER', 'AVAILABLE', 'CIRCUIT', 'OURS', 'QUOTA', 'LAST ERROR'], statuses.map(row));
  for (const { name: down, trouble } of statuses) if (trouble !== null) output.warning(`${down}: ${printable(trouble.message)}`);
  if (missing.length > 0)
    output.message(`Not configured: ${missing.map(({ name: absent, variable }) => `${absent} (set ${variable})`).join(', ')}`);
}

function row({ name, available, trouble, circuit, ours, quota, lastError }: ProviderStatus): string[] {
  const state = available === null ? 'not asked' : available ? 'yes' : `no: ${trouble?.code}`;
  return [
    name,
    state,
    circuit.replace('_', ' '),
    oursOf(ours),
    quotaOf(quota),
    lastError === null ? '–' : `${lastError.code}, ${lastError.at}`,
  ];
}

const oursOf = ({ files, bytes }: ProviderStatus['ours']): string => `${files} ${files === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}`;

/** The fullest limit; all of them are told for one provider alone. */
function quotaOf(quota: ProviderStatus['quota']): string {
  if (quota === null) return 'not counted';
  const [fullest] = quota.toSorted((a, b) => b.used / b.limit - a.used / a.limit);
  if (fullest === undefined) return 'none';
  return `${describeUse(fullest)}${fullest.used >= NEARLY_FULL * fullest.limit ? ' (nearly full)' : ''}`;
}

function details(status: ProviderStatus): [string, string][] {
  const { capabilities, quota, lastError, trouble } = status;
  const { maxFileBytes, minFileBytes, downloads, ranges, purposes, expiresAfterSeconds } = capabilities;
  return [
    ['provider', status.name],
    ['account', status.account],
    ['available', status.available === null ? 'not asked' : status.available ? 'yes' : `no: ${trouble?.message}`],
    ['circuit', status.circuit.replace('_', ' ')],
    ['ours', oursOf(status.ours)],
    ...(quota === null
      ? [['quota', 'not counted'] as [string, string]]
      : quota.map((use): [string, string] => ['quota', describeUse(use)])),
    ['last error', lastError === null ? 'none' : `${lastError.at} ${lastError.code}: ${lastError.message}`],
    ['files', `${minFileBytes === 0 ? 'up to' : 'from 1 byte up to'} ${formatBytes(maxFileBytes)}`],
    ['gives back', downloads ? `originals${ranges ? ', also in part' : ''}` : 'no originals, or only of some purposes'],
    ...(expiresAfterSeconds === null ? [] : [['drops', `files after ${Math.round(expiresAfterSeconds / 3600)} h`] as [string, string]]),
    ...Object.entries(purposes ?? {}).map(([purpose, limits]): [string, string] => [
      'purpose',
      `${purpose}: up to ${formatBytes(limits.maxFileBytes)}${limits.maxFiles === null ? '' : `, ${limits.maxFiles} files`}, for ${limits.uses.join(', ')}; ${limits.extensions === null ? 'any extension' : limits.extensions.join(' ')}`,
    ]),
  ];
}
