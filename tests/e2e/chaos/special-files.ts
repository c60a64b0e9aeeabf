import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { auditMigration, reportOf } from './audit.ts';
import type { Case } from './case.ts';
import { type Expected, put, putLarge } from './files.ts';
import type { Playground } from './playground.ts';

const MIB = 1024 * 1024;
/** 200 bytes in UTF-8, the longest that is asked for; file systems end at 255. */
export const AWKWARD = `a "quoted" 'name' with spaces,\na line end, Ünïcödé 日本語 🚚 ${'é'.repeat(100)}`;

const awkwardName = (): string => {
  let name = AWKWARD;
  while (Buffer.byteLength(name) > 196) name = [...name].slice(0, -1).join('');
  return `${name}${'x'.repeat(196 - Buffer.byteLength(name))}.pdf`;
};

/** Files that are special by themselves, each written back by `cutover download` and compared; and then once more. */
export const specialFiles: Case = {
  name: 'special files',
  env: { MAX_FILE_SIZE_MB: '2048' },
  async run(ground) {
    const expected: Expected = new Map();
    const { source } = ground;
    put(expected, source, 'empty', '');
    put(expected, source, 'one byte.txt', 'x');
    put(expected, source, awkwardName(), 'awkward');
    put(expected, source, 'no extension', 'none');
    put(expected, source, 'twins/first.txt', 'the same content');
    put(expected, source, 'twins/second.bin', 'the same content');
    await putLarge(expected, source, 'five MiB and one.bin', 5 * MIB + 1);
    await putLarge(expected, source, 'a gibibyte.bin', 1024 * MIB);
    put(expected, ground.folder, 'outside.txt', 'outside of the source');
    const outside = expected.get('outside.txt') as string;
    expected.delete('outside.txt');
    symlinkSync('../outside.txt', join(source, 'link to a file'));
    expected.set('link to a file', outside);
    symlinkSync('twins', join(source, 'link to a folder'));

    await ground.up();
    await ground.must(['migrate', source, '--id', 'first', '--verify=download']);
    const audit = await auditMigration(ground, 'first', expected, { 'link to a folder': 'link_to_folder' });
    audit.problems.push(...(await downloadAll(ground, expected)));
    audit.problems.push(...(await again(ground, expected.size)));
    return { files: expected.size, kills: 0, ...audit };
  },
};

/** By name where only one file has it, so that awkward names are looked up, too. */
async function downloadAll(ground: Playground, expected: Expected): Promise<string[]> {
  const problems: string[] = [];
  const target = join(ground.folder, 'back');
  mkdirSync(target);
  let index = 0;
  for (const [path, sha256] of expected) {
    const file = join(target, `${index}`);
    index += 1;
    await ground.must(['download', path, '-o', file]);
    const back = await hashOf(file);
    if (back !== sha256) problems.push(`cutover download ${JSON.stringify(path)} wrote ${back} instead of ${sha256}`);
  }
  return problems;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** The same folder a second time: nothing is sent. */
export async function again(ground: Playground, files: number): Promise<string[]> {
  const { stdout } = await ground.must(['migrate', ground.source, '--id', 'second']);
  const { outcome } = await reportOf(ground, 'second');
  const problems: string[] = [];
  if (outcome.totals.uploaded !== 0 || outcome.totals.deduplicated !== files)
    problems.push(`the second time ${JSON.stringify(outcome.totals)}`);
  if (!stdout.includes('Nothing was uploaded')) problems.push(`the second time it did not say that nothing was uploaded: ${stdout}`);
  return problems;
}
