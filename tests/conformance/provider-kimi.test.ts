import { createKimi } from '../../src/providers/kimi.ts';
import { MIB } from '../support/bodies.ts';
import { startKimiServer } from '../support/kimi-server.ts';
import { LONG } from '../support/timeouts.ts';
import { describeProvider } from './provider-suite.ts';

describeProvider('Kimi, a server as documented', async () => {
  const server = await startKimiServer();
  return {
    url: server.url,
    connect: ({ key, url = server.url, ...connection } = {}) =>
      createKimi({
        apiKey: key === 'wrong' ? 'sk-kimi-wrong' : server.apiKey,
        ...{ baseUrl: `${url}/v1`, maxFileBytes: 200 * MIB, maxRetryAttempts: 3, timeouts: LONG },
        ...connection,
      }),
    isUpload: ({ method, path }) => method === 'POST' && path === '/v1/files',
    isDownload: ({ path }) => path.endsWith('/content'),
    isInfo: ({ method, path }) => method === 'GET' && /^\/v1\/files\/[^/?]+$/.test(path),
    fileName: 'file.txt',
    close: () => server.close(),
  };
});
