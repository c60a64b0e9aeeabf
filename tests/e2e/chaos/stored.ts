import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import postgres, { type Sql } from 'postgres';
import { readDotenv } from '../../../src/config/layers.ts';
import { type Playground, readStackFile } from './playground.ts';

/** What is really stored, learned past the product: from the database itself, the disk and Storage's HTTP API. */
export interface Stored {
  /** Keys in the bucket. */
  keys: string[];
  /** Files on the disk that hold objects. */
  onDisk: number;
  /** SHA-256 of the contents of which the ledger has more than one live copy, or that it records more than once. */
  doubled: string[];
  /** Copies that nobody finished: claimed and neither completed nor given up. */
  unfinished: number;
  /** Holds of the same tool on the same file under the same name, beyond the first. */
  doubleHolds: number;
}

export async function readStored(ground: Playground, bucket = 'cutover'): Promise<Stored> {
  return await readSql(ground, async (sql) => {
    const keys = await sql`select name from storage.objects where bucket_id = ${bucket} order by name`;
    const doubled = await sql`
      select f.sha256 from public.provider_file_uploads u join public.files f on f.id = u.file_id
      where u.deleted_at is null and u.upload_status <> 'failed' group by 1 having count(*) > 1
      union all select sha256 from public.files where sha256 is not null group by 1 having count(*) > 1`;
    const [unfinished] = await sql`
      select count(*)::int as n from public.provider_file_uploads where upload_status in ('pending', 'uploading') and deleted_at is null`;
    const [holds] = await sql`
      select coalesce(sum(n - 1), 0)::int as n
      from (select count(*) as n from public.file_references group by file_id, tool, user_id, name having count(*) > 1) as doubles`;
    const objects = join(ground.stateDir, 'objects');
    return {
      keys: keys.map(({ name }) => name as string),
      onDisk: countObjects(objects),
      doubled: doubled.map(({ sha256 }) => sha256 as string),
      unfinished: unfinished?.n as number,
      doubleHolds: holds?.n as number,
    };
  });
}

/** Asks the database of the stack itself. */
export async function readSql<T>({ stateDir }: Playground, ask: (sql: Sql) => Promise<T>): Promise<T> {
  const { postgresPassword } = readStackFile(stateDir, 'secrets.json');
  const { postgres: port } = readStackFile(stateDir, 'ports.json');
  const sql = postgres({ host: '127.0.0.1', port: Number(port), user: 'postgres', password: String(postgresPassword), max: 1 });
  try {
    return await ask(sql);
  } finally {
    await sql.end();
  }
}

/** Objects that are whole on the disk, whatever else runs or does not. */
export function countObjects(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp'))
      .length;
  } catch {
    return 0;
  }
}

/** SHA-256 of what Storage answers for an object; null when it has none. @param id `<bucket>/<key>` */
export async function readBack({ stateDir, signal }: Playground, id: string): Promise<string | null> {
  const { SUPABASE_URL: url, SUPABASE_SECRET_KEY: apikey = '' } = readDotenv(join(stateDir, 'stack.env'));
  const response = await fetch(`${url}/storage/v1/object/${id}`, { headers: { apikey }, signal });
  if (!response.ok || response.body === null) return response.ok ? createHash('sha256').digest('hex') : null;
  const hash = createHash('sha256');
  for await (const chunk of response.body) hash.update(chunk);
  return hash.digest('hex');
}
