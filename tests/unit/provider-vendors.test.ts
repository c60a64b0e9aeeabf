import { describe, expect, test } from 'vitest';
import { choosePurpose, givesBack, refusalOf } from '../../src/domain/capabilities.ts';
import { glmCapabilities } from '../../src/providers/glm-capabilities.ts';
import { createKimi, kimiCapabilities } from '../../src/providers/kimi.ts';
import { openAiCapabilities } from '../../src/providers/openai.ts';
import { LONG } from '../support/timeouts.ts';

const MIB = 1024 * 1024;
const ZHIPU = 'https://open.bigmodel.cn/api/paas/v4';
const ZAI = 'https://api.z.ai/api/paas/v4';

describe('Kimi', () => {
  const kimi = kimiCapabilities(1000 * MIB);
  test('takes at most 100 MB, 1,000 files and 10 GB, whatever is configured, and gives nothing back', () => {
    expect(kimi).toMatchObject({ maxFileBytes: 100 * MIB, minFileBytes: 1, downloads: false, quota: { files: 1000, bytes: 10_240 * MIB } });
    expect(kimiCapabilities(MIB).maxFileBytes).toBe(MIB);
    expect(givesBack(kimi, 'batch')).toBe(false);
  });
  test.each(['a.pdf', 'a.JPG', 'a.tsx', 'a.conf'])('reads %s', (name) => {
    expect(refusalOf('kimi', kimi, 'file-extract', { name, sizeBytes: 1 })).toBeNull();
  });
  test.each(['a.exe', 'a.zip', 'a', 'a.mp4'])('does not read %s', (name) => {
    expect(refusalOf('kimi', kimi, 'file-extract', { name, sizeBytes: 1 })).toMatchObject({ code: 'extension_not_supported' });
  });
  test.each(['', 'a b', 'key\n'])('refuses %j as a key, without repeating it', (apiKey) => {
    const options = { apiKey, baseUrl: 'https://api.moonshot.ai/v1', maxFileBytes: 1, maxRetryAttempts: 0, timeouts: LONG };
    expect(() => createKimi(options)).toThrow(/^KIMI_API_KEY is empty or has a character that no key has/);
  });
});

describe('GLM', () => {
  const zhipu = glmCapabilities(ZHIPU, 1000 * MIB);
  test.each([
    ['batch', 'a.jsonl', 100],
    ['agent', 'a.pdf', 20],
    ['agent', 'a.png', 5],
    ['file-extract', 'a.pptx', 50],
    ['file-extract', 'a.jpeg', 5],
    ['code-interpreter', 'a.xlsx', 20],
  ])('of purpose %s takes %s up to %i MB', (purpose, name, megabytes) => {
    const refusal = (sizeBytes: number) => refusalOf('glm', zhipu, purpose, { name, sizeBytes });
    expect(refusal(megabytes * MIB)).toBeNull();
    expect(refusal(megabytes * MIB + 1)).toMatchObject({ code: 'file_too_large' });
  });
  test('gives back batch files alone', () => {
    expect(['batch', 'agent', 'file-extract', 'code-interpreter'].filter((purpose) => givesBack(zhipu, purpose))).toEqual(['batch']);
  });
  test('at Z.ai has one purpose, 100 files, and drops them after 180 days', () => {
    const zai = glmCapabilities(ZAI, 1000 * MIB);
    expect(Object.keys(zai.purposes ?? {})).toEqual(['agent']);
    expect(zai).toMatchObject({ maxFileBytes: 100 * MIB, quota: { files: 100 }, expiresAfterSeconds: 180 * 86_400 });
    expect(refusalOf('glm', zai, 'agent', { name: 'a.pdf', sizeBytes: 99 * MIB })).toBeNull();
  });
  test('takes 20 MB where nothing larger is configured', () => {
    const file = { name: 'a.jsonl', sizeBytes: 20 * MIB + 1 };
    expect(refusalOf('glm', glmCapabilities(ZHIPU, 20 * MIB), 'batch', file)).toMatchObject({ code: 'file_too_large' });
  });
});

describe('OpenAI', () => {
  const own = openAiCapabilities('https://api.openai.com/v1', 512 * MIB);
  test.each([
    ['a.bin', 'storage', 'user_data'],
    ['a.png', 'vision', 'vision'],
    ['a.jsonl', 'batch', 'batch'],
    ['a.jsonl', 'fine-tune', 'fine-tune'],
    ['a.py', 'code', 'assistants'],
    ['a.png', 'assistants', 'assistants'],
  ])('takes %s for %s as %s', (name, wanted, purpose) => {
    expect(choosePurpose('openai', own, wanted, { name, sizeBytes: 1 })).toBe(purpose);
  });
  test('itself does not give back user data, a compatible server does', () => {
    expect([givesBack(own, 'user_data'), givesBack(own, 'batch')]).toEqual([false, true]);
    expect(givesBack(openAiCapabilities('http://127.0.0.1:8000/v1', MIB), 'user_data')).toBe(true);
  });
});
