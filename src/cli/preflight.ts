import type { MigrationSource } from '../../workflows/contract.ts';
import { uploadsPerSecond } from '../client/settings.ts';
import { ProviderUnavailableError } from '../domain/errors.ts';
import { countOf, formatBytes, formatCount, formatDuration, formatRate, printable } from '../domain/format.ts';
import {
  type Estimate,
  estimate,
  measuredSpeed,
  type Pace,
  type Preflight,
  type QuotaPassed,
  quotaPassed,
  toSend,
} from '../domain/preflight.ts';
import { heldAt, preflightMigration } from '../manager/preflight.ts';
import type { Source } from '../sources/source.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

/** Migrations whose speed is looked at. */
const EARLIER = 20;

/** Says what will not fit and how long a migration will take. Reads no file and starts nothing. @returns the exit code: 1 when something will not arrive */
export async function preflight(
  context: CommandContext,
  listing: Source,
  { source, to, purpose, json }: { source: MigrationSource; to: string; purpose: string; json: boolean },
): Promise<number> {
  const { output, signal } = context;
  const stores = await context.services().stores();
  const target = stores.provider(to);
  const found = await preflightMigration(listing, to, { ...stores, limits: context.config().files, purpose }, signal);
  const held = await heldAt(target, signal);
  const quota = held === null ? [] : quotaPassed(target.capabilities, held, found);
  const pace = await paceOf(context, to);
  const time = estimate(toSend(found), pace);
  const fits = found.refused.length === 0 && quota.length === 0;
  if (json)
    await output.json({ preflight: true, source, to, fits, ...found, toSend: toSend(found), quota, estimate: { ...time, ...pace } });
  else
    for (const line of [...contents(found, to), ...quota.map((one) => quotaLine(one, to)), timeLine(found, time, pace, to)])
      await output.data(line);
  if (!json) await output.data('No file was read; nothing was started or changed.');
  return fits ? EXIT.ok : EXIT.failed;
}

/** Where Temporal cannot be asked, there is no earlier migration to tell from. */
async function paceOf({ config, services }: CommandContext, to: string): Promise<Pace> {
  const { providers, files } = config();
  const earlier = await services()
    .client()
    .then((client) => client.earlierMigrations(to, EARLIER))
    .catch((error: unknown) => {
      if (error instanceof ProviderUnavailableError) return [];
      throw error;
    });
  return {
    uploadsPerSecond: uploadsPerSecond(providers, to),
    measured: measuredSpeed(earlier),
    minBytesPerSecond: files.minBytesPerSecond,
  };
}

function contents(found: Preflight, to: string): string[] {
  const { listed, there, skipped, refused } = found;
  const sent = toSend(found);
  const row = (label: string, files: number, bytes: number, rest = ''): string =>
    `  ${label.padEnd(16)}${formatCount(files).padStart(9)}  ${formatBytes(bytes).padStart(9)}${rest === '' ? '' : `  ${rest}`}`;
  return [
    `${countOf(listed.files, 'file')}, ${formatBytes(listed.bytes)}, to ${to}`,
    row('will be sent', sent.files, sent.bytes, 'less where the content turns out to be there already'),
    ...(there.files > 0 ? [row('there already', there.files, there.bytes)] : []),
    ...(skipped > 0 ? [row('skipped', skipped, 0, 'not files: links to folders, sockets and the like')] : []),
    ...refused.flatMap(({ code, files, bytes, names, why }) => [
      row('will not arrive', files, bytes, `${code}: ${names.map(printable).join(', ')}${files > names.length ? ', …' : ''}`),
      `    ${printable(why)}`,
    ]),
  ];
}

function quotaLine({ kind, purpose, limit, used, adding }: QuotaPassed, to: string): string {
  const show = kind === 'files' ? formatCount : formatBytes;
  const where = purpose === null ? to : `${to}, purpose ${purpose},`;
  return `  quota: ${where} holds ${show(limit)} ${kind === 'files' ? 'files' : 'in all'}; ${show(used)} are there and ${show(adding)} would come: ${show(used + adding - limit)} too many. Delete some, or move less`;
}

function timeLine(found: Preflight, time: Estimate, { uploadsPerSecond, measured, minBytesPerSecond }: Pace, to: string): string {
  if (toSend(found).files === 0) return '  time: none, nothing will be sent';
  const rate = uploadsPerSecond === null ? null : `${to.toUpperCase()}_UPLOADS_PER_SECOND is ${uploadsPerSecond}`;
  if (time.ms !== null && measured !== null) {
    const best = `${measured.filesPerSecond.toFixed(1)} files/s and ${formatRate(measured.bytesPerSecond)}`;
    return `  time: about ${formatDuration(time.ms)}; earlier migrations to ${to} reached ${best} at best${rate === null ? '' : `, and ${rate}`}`;
  }
  const atLeast = time.atLeastMs === null ? '' : `, at least ${formatDuration(time.atLeastMs)} (${rate})`;
  const slowest = `${formatDuration(time.bytesAtMostMs)} for the bytes at the slowest rate that is allowed (${formatRate(minBytesPerSecond)}, TRANSFER_MIN_BYTES_PER_SECOND), one file after the other`;
  return `  time: unknown, no earlier migration to ${to} tells${atLeast}; at most ${slowest}`;
}
