import { givesBack } from '../../src/domain/capabilities.ts';
import { markerIn } from '../../src/providers/marked-name.ts';
import type { ObjectIdentity, Provider, StoredObject, UploadRequest } from '../../src/providers/provider.ts';
import type { VendorUnderTest } from '../conformance/provider-suite.ts';
import { MIB, uploadOf } from './bodies.ts';

const signal = new AbortController().signal;

/** Uploads that this vendor takes: its name, sizes within what it takes. */
export function samplesFor(vendor: VendorUnderTest) {
  const largest = vendor.largest ?? 100 * MIB;
  const fileName = vendor.fileName ?? 'file.bin';
  return {
    largest,
    fileName,
    extension: /\.[^.]+$/.exec(fileName)?.[0] ?? '',
    atMost: (sizeBytes: number) => Math.min(sizeBytes, largest),
    upload: (sizeBytes: number, seed: number, more: Partial<UploadRequest> = {}) => uploadOf(sizeBytes, seed, { name: fileName, ...more }),
  };
}

export const identityOf = ({ marker, sha256, namespace, purpose, body }: UploadRequest): ObjectIdentity => ({
  marker,
  sha256,
  namespace,
  purpose,
  sizeBytes: body.sizeBytes,
});

/** Whether what was stored can be read back. */
export const readable = (provider: Provider, { purpose, downloadable }: StoredObject) =>
  downloadable ?? givesBack(provider.capabilities, purpose);

/** All objects that an upload has made. */
export async function objectsOf(provider: Provider, request: UploadRequest): Promise<StoredObject[]> {
  const id = provider.idOf(request.sha256, request.namespace);
  const found: StoredObject[] = [];
  for await (const { objects } of provider.list({ ...(id === null ? {} : { under: id }), signal }))
    found.push(...objects.filter((object) => (id === null ? markerIn(object.name) === request.marker : object.id === id)));
  return found;
}
