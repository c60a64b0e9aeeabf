import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newIdOf, oldIdsOf, oldValues } from '../../src/domain/id-map.ts';
import { checkIdColumn, type IdChange, reverseScript, updateScript } from '../../src/domain/id-map-sql.ts';
import { fittingName, identifier, literal, nameParts } from '../../src/domain/sql-names.ts';

const place = { fileId: 'f-1', provider: 's3', providerFileId: 'bucket/live/aa/x y', sha256: 'ab' };

describe('A new id', () => {
  it('is the id at the provider, ours, or a URL with parts of them escaped', () => {
    expect(newIdOf('provider-id')(place)).toBe('bucket/live/aa/x y');
    expect(newIdOf('file-id')(place)).toBe('f-1');
    expect(newIdOf('https://x.example/{provider}/{provider-id}?h={sha256}')(place)).toBe('https://x.example/s3/bucket/live/aa/x%20y?h=ab');
  });

  it('is none where what it is made of is not there', () => {
    const gone = { ...place, providerFileId: null };
    expect(newIdOf('provider-id')(gone)).toBeNull();
    expect(newIdOf('https://x.example/{provider-id}')(gone)).toBeNull();
    expect(newIdOf('file-id')(gone)).toBe('f-1');
  });

  it.each(['', 'providerid', 'https://x.example/', 'https://x.example/{id}', '{constructor}'])(
    'is refused as %j, with what there is',
    (said) => {
      expect(() => newIdOf(said)).toThrow(/\{provider-id\}/);
    },
  );
});

describe('An old id', () => {
  it('is looked for as it is, and in a URL also escaped', () => {
    expect(oldValues('a b/ü', '')).toEqual(['a b/ü']);
    expect(oldValues('a b/ü', 'files/')).toEqual(['files/a b/ü']);
    expect(oldValues('a b/ü', 'https://x/')).toEqual(['https://x/a b/ü', 'https://x/a%20b/%C3%BC']);
    expect(oldValues('plain', 'https://x/')).toEqual(['https://x/plain']);
    expect(oldValues('half \ud800', 'https://x/')[1]).toBe('https://x/half%20%EF%BF%BD');
  });

  it('is found again from each of these', () => {
    expect(oldIdsOf('a b/ü', '')).toEqual(['a b/ü']);
    expect(oldIdsOf('files/a%20b', 'files/')).toEqual(['a%20b']);
    expect(oldIdsOf('https://x/a%20b/%C3%BC', 'https://x/')).toEqual(['a%20b/%C3%BC', 'a b/ü']);
    expect(oldIdsOf('https://x/100%', 'https://x/')).toEqual(['100%']);
  });
});

describe('Names of tables and columns', () => {
  it('are read as they are spelled in the database, with a schema where one is given', () => {
    expect(nameParts('Documents', 'table', 2)).toEqual(['Documents']);
    expect(nameParts('app.documents', 'table', 2)).toEqual(['app', 'documents']);
    expect(nameParts('"my ""odd"" schema"."a.b"', 'table', 2)).toEqual(['my "odd" schema', 'a.b']);
    expect(nameParts('größe_1$', 'column', 1)).toEqual(['größe_1$']);
  });

  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'a b',
    'a;drop table x',
    'a"b',
    '"a',
    '""',
    '1a',
    'a--',
    "a'b",
    '"$cutover$"',
    'a\0',
    'a.b.c',
    'x'.repeat(64),
  ])('are refused where they are nonsense: %j', (said) => {
    expect(() => nameParts(said, 'table', 2)).toThrow(/The table/);
  });

  it('have no schema where they are columns', () => {
    expect(() => nameParts('a.b', 'column', 1)).toThrow(/may have one/);
  });

  it('become one of ours that fits, and that no other shares', () => {
    const long = ['a', 'b'].map((end) => fittingName(`cutover_undo_${'ü'.repeat(40)}${end}`));
    expect(new Set(long).size).toBe(2);
    for (const name of long) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    expect(fittingName('cutover_undo_t_c')).toBe('cutover_undo_t_c');
  });

  it('and values end where their quotes end, whatever they contain', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a\'"\\;$') }), (text) => {
        expect(literal(text)).toMatch(/^'([^']|'')*'$/);
        expect(identifier(text)).toMatch(/^"([^"]|"")*"$/);
      }),
    );
  });
});

describe('The script', () => {
  const where = { table: 'app.docs', column: 'url', key: 'id' };

  it('comes in pieces of 1,000 values, however many there are', async () => {
    let taken = 0;
    async function* changes(): AsyncGenerator<IdChange> {
      for (; taken < 1_000_000; taken += 1) yield { old: `o${taken}`, new: 'n', rank: 0, at: '2026-11-24T00:00:00Z' };
    }
    const pieces = updateScript(where, changes(), { label: 'm', prefix: '' });
    await pieces.next();
    for (const upTo of [1, 2, 3]) {
      expect((await pieces.next()).value?.match(/^\('o/gm)).toHaveLength(1000);
      expect(taken).toBeLessThan(upTo * 1000);
    }
    await pieces.return(undefined);
  });

  it('names the column in a comment that cannot end early', () => {
    const odd = { table: '"a\n;drop table b"', column: 'c', key: 'id' };
    for (const line of reverseScript(odd).split('\n').slice(0, 1)) expect(line).toMatch(/^-- .*drop table b/);
    expect(() => checkIdColumn({ ...odd, key: 'a b' })).toThrow(/The key/);
  });
});
