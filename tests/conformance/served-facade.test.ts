import { createLegacyHttp } from '../../src/facade/legacy-http.ts';
import { memoryFacade, startTestApi, TOKEN } from '../support/api.ts';
import { runCutover } from '../support/cutover.ts';
import { startFacade } from '../support/facade.ts';
import { LONG } from '../support/timeouts.ts';
import { describeFileService } from './file-service-suite.ts';

/** One contract in both directions: what `cutover serve` offers is what it asks of old endpoints, by the very client that asks them. */

const clientOf = (url: string) => createLegacyHttp({ url, token: TOKEN, timeouts: LONG });

for (const [side, share] of [
  ['legacy', 0],
  ['unified', 100],
] as const)
  describeFileService(`The facade behind HTTP, where ${side} serves, in memory`, async () => {
    const api = await startTestApi(memoryFacade(share).facade);
    return { service: clientOf(api.url), close: async () => void (await api.stop()) };
  });

describeFileService('The facade behind HTTP, through durable workflows', async () => {
  const cutover = await runCutover({}, { workers: 1 });
  const running = await startFacade(cutover, {
    state: {
      routing: () => ({ master: true, tool: true, stage: 'live', share: 100, step: 1 }),
      setting: () => undefined,
      onChange: () => () => undefined,
      ready: async () => undefined,
      close: () => undefined,
    },
  });
  const api = await startTestApi(running.facade);
  return {
    service: clientOf(api.url),
    async close() {
      await api.stop();
      await running.close();
      await cutover.stop();
    },
  };
});
