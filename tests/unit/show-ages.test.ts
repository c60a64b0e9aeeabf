import { expect, test } from 'vitest';
import { showAges } from '../../src/manager/show-ages.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { readExposition } from '../support/exposition.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

const place = (name: string, expiresAfterSeconds: number | null) => {
  const { account, capabilities } = createMemoryProvider({ name, account: `${name}/test` });
  return { name, account, capabilities: { ...capabilities, expiresAfterSeconds } };
};

test('The age of the oldest copy is shown for each provider that drops files by itself, and for no other', async () => {
  const metrics = createMetrics({ userLabel: 'bucket' });
  const asked: unknown[] = [];
  const copyAges = async (accounts: unknown) => {
    asked.push(accounts);
    return [{ provider: 'gemini', share: 0.75 }];
  };
  showAges(metrics, { copyAges }, [place('s3', null), place('gemini', 172_800)], expect.fail);
  const { samples, sum } = readExposition(await metrics.text());
  expect(asked).toEqual([[{ provider: 'gemini', account: 'gemini/test' }]]);
  expect(sum('cutover_provider_quota_ratio', { provider: 'gemini', kind: 'age' })).toBe(0.75);
  expect(samples.filter(({ name }) => name === 'cutover_provider_quota_ratio')).toHaveLength(1);
});

test('Where no provider drops files by itself the ledger is not asked', async () => {
  const metrics = createMetrics({ userLabel: 'bucket' });
  showAges(metrics, { copyAges: async () => expect.fail('asked') }, [place('s3', null)], expect.fail);
  expect(await metrics.text()).not.toContain('kind="age"');
});
