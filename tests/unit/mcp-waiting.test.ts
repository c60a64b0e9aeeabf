import { expect, it } from 'vitest';
import type { Call } from '../../src/mcp/tool.ts';
import { waitFor } from '../../src/mcp/waiting.ts';

const call = (signal = new AbortController().signal): Call => ({ signal, progress: () => undefined, started: () => undefined });
const never = () => new Promise<string>(() => undefined);

it('Work is waited for so long, also where a server took the request and answers nothing', async () => {
  expect(await waitFor(0.05, call(), 'work', never)).toBeNull();
  expect(await waitFor(5, call(), 'work', async () => 'done')).toBe('done');
});

it('A call that is cancelled ends with its reason, and work that fails with its own', async () => {
  await expect(waitFor(5, call(AbortSignal.abort(new Error('cancelled'))), 'work', never)).rejects.toThrow('cancelled');
  await expect(waitFor(5, call(), 'work', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
});
