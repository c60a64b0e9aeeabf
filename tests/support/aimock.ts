import { LLMock } from '@copilotkit/aimock';

export interface AiMock {
  readonly url: string;
  readonly apiKey: string;
  close(): Promise<void>;
}

/** An OpenAI file API that others wrote. Its files are in memory, one store for all servers of a process. */
export async function startAiMock(): Promise<AiMock> {
  const apiKey = 'sk-aimock-test-key';
  const mock = new LLMock({ host: '127.0.0.1', port: 0, auth: { apiKeys: [apiKey] }, logLevel: 'silent', journalMaxEntries: 10 });
  return { url: await mock.start(), apiKey, close: () => mock.stop() };
}
