import { writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

/** `node workers/make-bundle.ts FILE` writes the workflows as one file. Run by bundle.ts, and when an image is built. */
const [, , target] = process.argv;
if (target === undefined) throw new Error('usage: make-bundle FILE');
const pathOf = (name: string) => fileURLToPath(new URL(`../workflows/${name}${extname(import.meta.url)}`, import.meta.url));
const [workflowsPath, interceptorsPath] = [pathOf('index'), pathOf('trace-interceptors')];
const { code } = await bundleWorkflowCode({ workflowsPath, workflowInterceptorModules: [interceptorsPath] });
writeFileSync(target, code);
