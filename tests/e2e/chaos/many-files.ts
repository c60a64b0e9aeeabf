import { auditMigration } from './audit.ts';
import type { Case } from './case.ts';
import { type Expected, put } from './files.ts';
import { again } from './special-files.ts';

const FILES = 3_000;

/** Many small files in many folders, more than one run of the workflow takes; and then once more. */
export const manyFiles: Case = {
  name: 'small files',
  // 6,000 workflows at 20 to 50 a second.
  withinMs: 480_000,
  async run(ground) {
    const expected: Expected = new Map();
    for (let index = 0; index < FILES; index += 1)
      put(
        expected,
        ground.source,
        `${index % 30}/${index % 7}/${index}.txt`,
        `small file ${index} of ${FILES}\n`.repeat(1 + (index % 100)),
      );
    await ground.up();
    await ground.must(['migrate', ground.source, '--id', 'first']);
    const audit = await auditMigration(ground, 'first', expected);
    audit.problems.push(...(await again(ground, FILES)));
    return { files: FILES, kills: 0, ...audit };
  },
};
