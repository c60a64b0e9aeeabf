import { type Kysely, sql } from 'kysely';
import { z } from 'zod';

const Update = z.record(z.string(), z.unknown());
const CLEARED = ['file_size_limit', 'allowed_mime_types'] as const;

/**
 * Fault of 0.10.0: an update of a bucket cannot take a limit away, because null is refused. Clears what is null in the body.
 * @returns the body without it, for Lite to take the rest; null where there is nothing to mend
 */
export async function clearBucketLimits(database: Kysely<unknown>, bucket: string, body: unknown): Promise<Record<string, unknown> | null> {
  const given = Update.safeParse(body).data ?? {};
  const cleared = CLEARED.filter((column) => given[column] === null);
  if (cleared.length === 0) return null;
  for (const column of cleared) await sql`update storage.buckets set ${sql.ref(column)} = null where id = ${bucket}`.execute(database);
  return Object.fromEntries(Object.entries(given).filter(([name]) => !cleared.some((column) => column === name)));
}
