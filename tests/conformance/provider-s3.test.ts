import { randomUUID } from 'node:crypto';
import { describe } from 'vitest';
import type { S3Options } from '../../src/providers/s3.ts';
import { MIB } from '../support/bodies.ts';
import { s3Provider } from '../support/s3-provider.ts';
import { noVersitygw, startVersitygw } from '../support/versitygw.ts';
import { describeProvider, type StartVendor } from './provider-suite.ts';

const without = noVersitygw();

const versitygw =
  (more: Partial<S3Options>): StartVendor =>
  async () => {
    const server = await startVersitygw();
    const bucket = `test-${randomUUID().slice(0, 8)}`;
    return {
      url: server.url,
      connect({ url = server.url, key, ...connection } = {}) {
        const secret = key === 'wrong' ? { secretAccessKey: 'wrong-secret-key' } : {};
        return s3Provider(server, { endpoint: url, bucket, ...more, ...connection, ...secret });
      },
      isUpload: ({ method, path }) => method === 'PUT' && path.startsWith(`/${bucket}/`),
      isDownload: ({ method, path }) => method === 'GET' && path.startsWith(`/${bucket}/`),
      isInfo: ({ method, path }) => method === 'HEAD' && path.startsWith(`/${bucket}/`),
      close: () => server.close(),
    };
  };

describe.skipIf(without !== null)(without ?? 'S3 at versitygw', () => {
  describeProvider('in one request', versitygw({}));
  describeProvider('in parts', versitygw({ multipartThresholdBytes: 1024, partBytes: 5 * MIB }));
  describeProvider('in parts that are too large for memory', versitygw({ multipartThresholdBytes: 18 * MIB, partBytes: 17 * MIB }));
});
