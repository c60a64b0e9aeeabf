import { createOpenAi } from '../../src/providers/openai.ts';
import { startAiMock } from '../support/aimock.ts';
import { MIB } from '../support/bodies.ts';
import { startOpenAiServer } from '../support/openai-server.ts';
import { LONG } from '../support/timeouts.ts';
import { describeProvider, type StartVendor, type VendorUnderTest } from './provider-suite.ts';

const openAi =
  (start: () => Promise<{ url: string; apiKey: string; close(): Promise<void> }>, more: Partial<VendorUnderTest> = {}): StartVendor =>
  async () => {
    const server = await start();
    return {
      url: server.url,
      connect: ({ key, url = server.url, ...connection } = {}) =>
        createOpenAi({
          apiKey: key === 'wrong' ? 'sk-wrong' : server.apiKey,
          ...{ baseUrl: `${url}/v1`, maxFileBytes: 200 * MIB, maxRetryAttempts: 3, timeouts: LONG },
          ...connection,
        }),
      isUpload: ({ method, path }) => method === 'POST' && path === '/v1/files',
      isDownload: ({ path }) => path.endsWith('/content'),
      isInfo: ({ method, path }) => method === 'GET' && /^\/v1\/files\/[^/?]+$/.test(path),
      ...more,
      close: () => server.close(),
    };
  };

// It takes files up to 10 MiB, and has no uploads in parts: those are tried on the server below.
describeProvider('OpenAI, the independent @copilotkit/aimock', openAi(startAiMock, { largest: 10 * MIB }));
describeProvider('OpenAI, a server as documented', openAi(startOpenAiServer));
