import { TestWorkflowEnvironment } from '@temporalio/testing';

/** A process of its own, so that it can be ended: the SDK's download cannot be. Downloads the CLI into the folder given. */
const [downloadDir] = process.argv.slice(2);
if (downloadDir === undefined) throw new Error('usage: download FOLDER');
const environment = await TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'cached-download', downloadDir } } });
await environment.teardown();
