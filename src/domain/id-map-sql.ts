import { BLOCK_QUOTE, fittingName, identifier, literal, nameParts } from './sql-names.ts';

/**
 * Scripts for the PostgreSQL of an application: one that writes new ids over old ones in a column, and one that takes it back. Many
 * old ids can become one new id, so each row that changes is noted in an undo table, in the same statement.
 */

/** Where an application keeps ids; as in the database. */
export interface IdColumn {
  /** As a person types it: `documents`, `app.documents`. */
  table: string;
  column: string;
  /** The column that tells one row from all others. */
  key: string;
}

/** A value of the column, and what becomes of it. */
export interface IdChange {
  old: string;
  new: string;
  /** Of two changes of one value the lower rank counts, then the newer. */
  rank: number;
  /** ISO 8601. */
  at: string;
}

const ROWS_PER_INSERT = 1000;

/** Quoted names of everything that a script touches. @throws ValidationError `name_invalid` */
function namesOf({ table, column, key }: IdColumn) {
  const path = nameParts(table, 'table', 2);
  const [columnName = ''] = nameParts(column, 'column', 1);
  const [keyName = ''] = nameParts(key, 'key', 1);
  const schema = path
    .slice(0, -1)
    .map((part) => `${identifier(part)}.`)
    .join('');
  const undo = fittingName(`cutover_undo_${path.at(-1)}_${columnName}`);
  return {
    table: path.map(identifier).join('.'),
    column: identifier(columnName),
    key: identifier(keyName),
    undo: `${schema}${identifier(undo)}`,
    undoIndex: identifier(fittingName(`${undo}_key`)),
  };
}

const SETTINGS = `begin;
set local client_encoding = 'UTF8';
set local standard_conforming_strings = on;
`;

/** Checks the names, which the caller wants to know before the work begins. @throws ValidationError `name_invalid` */
export function checkIdColumn(where: IdColumn): void {
  namesOf(where);
}

/**
 * The script, in pieces: one transaction, which run a second time changes nothing. It ends with the number of rows that it changed
 * and, where values have a prefix, of those that have it and are in no map.
 * @param label tells this map from others (a migration): what it wrote itself it does not take for an old id
 */
export async function* updateScript(
  where: IdColumn,
  changes: AsyncIterable<IdChange>,
  { label, prefix }: { label: string; prefix: string },
): AsyncGenerator<string> {
  const { table, column, key, undo, undoIndex } = namesOf(where);
  yield `-- New ids for ${printableComment(`${where.table}.${where.column}`)}; made by: cutover ids export --format sql
-- Take it back with the script of: cutover ids export --format sql --reverse
${SETTINGS}
create temporary table cutover_loaded (old text not null, new text not null, rank int not null, at timestamptz not null) on commit drop;
`;
  let rows: string[] = [];
  const insert = () => `insert into pg_temp.cutover_loaded values\n${rows.join(',\n')};\n`;
  for await (const change of changes) {
    rows.push(`(${literal(change.old)}, ${literal(change.new)}, ${change.rank}, ${literal(change.at)})`);
    if (rows.length < ROWS_PER_INSERT) continue;
    yield insert();
    rows = [];
  }
  if (rows.length > 0) yield insert();
  yield `
create temporary table cutover_ids on commit drop as
  select distinct on (old) old, new from pg_temp.cutover_loaded order by old, rank, at desc, new;
create unique index on pg_temp.cutover_ids (old);
analyze pg_temp.cutover_ids;

do ${BLOCK_QUOTE} begin
  if exists (select from ${table} group by ${key} having count(*) > 1 or ${key} is null) then
    raise exception '%', ${literal(`cutover: ${where.key} does not tell the rows of ${where.table} apart (it is null or there twice): give another --key`)};
  end if;
end ${BLOCK_QUOTE};

-- Which rows were changed, from what to what. Only its owner sees it.
create table if not exists ${undo} as
  select ${key} as key, ''::text as old, ''::text as new, ''::text as map from ${table} with no data;
alter table ${undo} enable row level security;
create unique index if not exists ${undoIndex} on ${undo} (key);

with changed as (
  update ${table} as t set ${column} = m.new
  from pg_temp.cutover_ids as m
  where t.${column}::text = m.old and m.old <> m.new
    -- What this map has written may look like one of its old ids.
    and not exists (select from ${undo} as u where u.key = t.${key} and u.new = m.old and u.map = ${literal(label)})
  returning t.${key} as key, m.old, m.new
), noted as (
  insert into ${undo} as u (key, old, new, map)
  select key, old, new, ${literal(label)} from changed
  -- A row that moves on goes back to where it began; one that the application changed in between, to what it was last.
  on conflict (key) do update set
    old = case when u.new = excluded.old then u.old else excluded.old end, new = excluded.new, map = excluded.map
)
select count(*) as rows_changed from changed;
${prefix === '' ? '' : `${rowsLeft({ table, column }, prefix)}\n`}
commit;
`;
}

const rowsLeft = ({ table, column }: { table: string; column: string }, prefix: string): string => `
select count(*) as rows_left_that_no_map_knows from ${table} as t
where starts_with(t.${column}::text, ${literal(prefix)})
  and not exists (select from pg_temp.cutover_ids as m where t.${column}::text in (m.old, m.new));`;

/** The script that puts the old values back into exactly those rows whose value is still the new one. */
export function reverseScript(where: IdColumn): string {
  const { table, column, key, undo } = namesOf(where);
  return `-- Old ids back into ${printableComment(`${where.table}.${where.column}`)}; made by: cutover ids export --format sql --reverse
${SETTINGS}
do ${BLOCK_QUOTE}
declare
  restored bigint;
  remaining bigint;
begin
  if to_regclass(${literal(undo)}) is null then
    raise notice 'cutover: nothing to put back: there is no table %', ${literal(undo)};
    return;
  end if;
  with back as (
    update ${table} as t set ${column} = u.old
    from ${undo} as u
    where u.key = t.${key} and t.${column}::text = u.new
    returning u.key
  ), gone as (
    delete from ${undo} as u using back where u.key = back.key
  )
  select count(*) into restored from back;
  select count(*) into remaining from ${undo};
  raise notice 'cutover: % rows put back; % that were changed or deleted since are left alone', restored, remaining;
  if remaining = 0 then
    drop table ${undo};
  end if;
end ${BLOCK_QUOTE};

commit;
`;
}

/** A comment ends with its line, and a name in it must not end it early. */
const printableComment = (text: string): string => JSON.stringify(text).slice(1, -1);
