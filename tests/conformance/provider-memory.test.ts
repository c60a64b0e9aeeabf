import { createMemoryProvider } from '../support/memory-provider.ts';
import { describeProvider } from './provider-suite.ts';

describeProvider('the provider in memory that tests use', async () => {
  const provider = createMemoryProvider();
  const never = () => false;
  return {
    url: null,
    connect: ({ maxFileBytes } = {}) => (maxFileBytes === undefined ? provider : createMemoryProvider({ maxFileBytes })),
    isUpload: never,
    isDownload: never,
    isInfo: never,
    close: async () => {},
  };
});
