import { benchBackfill } from './backfill.ts';
import { benchFacade } from './facade.ts';
import { benchJudge } from './judge.ts';
import { memoryOfAFile, memoryOfManyFiles } from './memory.ts';
import { benchProviders } from './providers.ts';
import { benchReconcile } from './reconcile.ts';
import { memoryOfServe } from './serve.ts';
import { benchSweep } from './sweep.ts';
import { uploadRate } from './upload.ts';

/** `npm run bench -- [upload|memory|serve|files|providers|judge|facade|sweep|reconcile|backfill]`: ours beside the alternative, in one run, on a stack of its own. Prints medians and ratios. */
const BENCHES: Record<string, (args: string[]) => Promise<void>> = {
  upload: uploadRate,
  memory: memoryOfAFile,
  serve: memoryOfServe,
  files: memoryOfManyFiles,
  providers: () => benchProviders(),
  judge: benchJudge,
  facade: () => benchFacade(),
  sweep: benchSweep,
  reconcile: benchReconcile,
  backfill: benchBackfill,
};
const [name, ...args] = process.argv.slice(2);
if (name !== undefined && BENCHES[name] === undefined) {
  console.error(`There is no bench ${name}; there are: ${Object.keys(BENCHES).join(', ')}`);
  process.exitCode = 2;
} else {
  for (const [key, bench] of Object.entries(BENCHES)) {
    if (name !== undefined && key !== name) continue;
    await bench(args);
    console.log();
  }
}
