import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { storageCapabilities } from '../../src/domain/capabilities.ts';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import type { FileRecord } from '../../src/domain/models.ts';
import { type DownloadDependencies, downloadFile, readFile } from '../../src/manager/download.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('download-file');
afterAll(() => scratch.remove());

const bytes = Buffer.from('what was uploaded');
const file = { id: 'f', sha256: createHash('sha256').update(bytes).digest('hex') } as FileRecord;

/** A ledger with one copy at a provider that counts how often it was asked for it. */
function stored() {
  const asked = { downloads: 0 };
  const download = async () => {
    asked.downloads++;
    return { sizeBytes: bytes.length, mimeType: null, chunks: [bytes] };
  };
  const copy = {
    ...{ status: 'completed', deletedAt: null, purgedAt: null, expiresAt: null, namespace: 'live' },
    ...{ provider: 'p', account: 'a', purpose: 'storage', providerFileId: 'o' },
  };
  const dependencies = {
    ledger: { copies: async () => [copy], touch: async () => undefined },
    provider: () => ({ name: 'p', account: 'a', capabilities: storageCapabilities(100), download }),
  } as unknown as DownloadDependencies;
  return { asked, dependencies };
}
const options = { signal: new AbortController().signal };

test('a file is written under a name as long as the file system takes', async () => {
  const target = join(scratch.path, 'n'.repeat(255));
  await downloadFile(file, target, stored().dependencies, options);
  expect(readFileSync(target)).toEqual(bytes);
  expect(readdirSync(scratch.path)).toHaveLength(1);
});

test('nothing is asked of the provider when the target cannot be written, so that no connection is left open', async () => {
  const { asked, dependencies } = stored();
  await expect(downloadFile(file, join(scratch.path, 'no-such-folder', 'a'), dependencies, options)).rejects.toMatchObject({
    code: 'write_failed',
    message: expect.stringContaining('its folder does not exist'),
  });
  expect(asked.downloads).toBe(0);
});

test('a file of which one copy was deleted behind the back of the ledger is read from another, and missing where there is none', async () => {
  const { dependencies } = stored();
  const [copy] = await dependencies.ledger.copies('f');
  const provider = dependencies.provider('p');
  const gone = { ...provider, name: 'q', download: () => Promise.reject(new FileNotFoundError('gone', { code: 'not_found' })) };
  const at = (...names: string[]) =>
    ({
      ledger: { ...dependencies.ledger, copies: async () => names.map((name) => ({ ...copy, provider: name })) },
      provider: (name: string) => (name === 'q' ? gone : provider),
    }) as unknown as DownloadDependencies;
  const target = join(scratch.path, 'from-another');
  await downloadFile(file, target, at('q', 'p'), options);
  expect(readFileSync(target)).toEqual(bytes);
  expect((await readFile(file, at('q', 'p'), options.signal)).sizeBytes).toBe(bytes.length);
  await expect(downloadFile(file, target, at('q'), options)).rejects.toMatchObject({ code: 'not_found' });
});
