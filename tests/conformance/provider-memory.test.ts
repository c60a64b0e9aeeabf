import { createMemoryProvider } from '../support/memory-provider.ts';
import { describeProvider } from './provider-suite.ts';

describeProvider('the provider in memory that tests use', async (maxFileBytes) => ({
  provider: createMemoryProvider({ maxFileBytes }),
  close: async () => {},
}));
