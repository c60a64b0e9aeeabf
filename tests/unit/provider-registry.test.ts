import { expect, test } from 'vitest';
import { ProviderNotFoundError, ValidationError } from '../../src/domain/errors.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { createSupabaseStorage } from '../../src/providers/supabase-storage.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

test('an unknown provider is refused with the list of those there are', () => {
  const registry = createRegistry([createMemoryProvider({ name: 'kimi' }), createMemoryProvider({ name: 'glm' })]);
  expect(registry.get('kimi').name).toBe('kimi');
  expect(registry.all().map(({ name }) => name)).toEqual(['glm', 'kimi']);
  expect(() => registry.get('s4')).toThrow(ProviderNotFoundError);
  expect(() => registry.get('s4')).toThrow(/"s4"; there are: glm, kimi/);
  expect(() => createRegistry([]).get('s4')).toThrow(/none is configured/);
});

test('a provider that could be there is refused with the variable to set', () => {
  const registry = createRegistry([createMemoryProvider({ name: 'supabase' })], [{ name: 'kimi', variable: 'KIMI_API_KEY' }]);
  expect(() => registry.get('kimi')).toThrow(/kimi is not configured: set KIMI_API_KEY \(there are: supabase\)/);
  expect(() => registry.get('s4')).toThrow(/"s4"; there are: supabase; with a key also: kimi/);
});

const options = {
  url: 'https://abc.supabase.co',
  secretKey: 'sb_secret_x',
  bucket: 'files',
  maxFileBytes: 1,
  maxRetryAttempts: 0,
  timeouts: { callMs: 1, idleMs: 1, minBytesPerSecond: 1 },
};

test('the Supabase provider knows its account without a secret, and ids without asking', () => {
  const provider = createSupabaseStorage(options);
  expect(provider.account).toBe('abc.supabase.co/files');
  expect(provider.idOf('ab'.repeat(32), 'live')).toBe(`files/live/ab/${'ab'.repeat(32)}`);
  expect(createSupabaseStorage({ ...options, account: 'embedded' }).account).toBe('embedded');
});

test.each([
  [{ url: 'abc.supabase.co' }, 'SUPABASE_URL'],
  [{ url: 'ftp://abc' }, 'SUPABASE_URL'],
  [{ secretKey: '' }, 'SUPABASE_SECRET_KEY'],
  [{ secretKey: 'sb_secret_CANARY\n' }, 'SUPABASE_SECRET_KEY'],
  [{ bucket: 'a/b' }, 'SUPABASE_BUCKET'],
  [{ bucket: '..' }, 'SUPABASE_BUCKET'],
])('the Supabase provider refuses %j, naming the variable and no secret', (wrong, variable) => {
  const make = () => createSupabaseStorage({ ...options, ...wrong });
  expect(make).toThrow(ValidationError);
  expect(make).toThrow(variable);
  expect(make).not.toThrow(/CANARY/);
});
