import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileNotFoundError, ProviderUnavailableError, ValidationError } from '../../src/domain/errors.ts';
import { behind, bytesOfTokens, pageOf } from '../../src/mcp/page.ts';
import { describeToolError } from '../../src/mcp/tool-errors.ts';
import { createToolWords } from '../../src/mcp/tool-words.ts';
import { TOOLS } from '../../src/mcp/tools.ts';

interface Item {
  key: string;
  text: string;
}
const keyOf = ({ key }: Item) => key;

describe('a list that is cut', () => {
  it('gives every item once, in order, each page within its tokens unless it is a single item', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 2000 }), { maxLength: 40 }),
        fc.integer({ min: 100, max: 2000 }),
        async (texts, maxTokens) => {
          const all = texts.map((text, index): Item => ({ key: String(index), text }));
          const seen: Item[] = [];
          for (let cursor: string | undefined; ; ) {
            const { items, next } = await pageOf(behind(all, keyOf, cursor), { keyOf, maxTokens });
            seen.push(...items);
            if (items.length > 1) expect(Buffer.byteLength(JSON.stringify(items))).toBeLessThanOrEqual(bytesOfTokens(maxTokens));
            if (next === null) break;
            expect(items.length).toBeGreaterThan(0);
            cursor = next;
          }
          expect(seen).toEqual(all);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('ends with its limit, and says that more follows', async () => {
    const all = ['a', 'b', 'c'].map((key): Item => ({ key, text: '' }));
    expect(await pageOf(all, { keyOf, maxTokens: 1000, limit: 2 })).toEqual({ items: all.slice(0, 2), next: 'b' });
    expect(await pageOf(behind(all, keyOf, 'b'), { keyOf, maxTokens: 1000, limit: 2 })).toEqual({ items: all.slice(2), next: null });
  });
});

describe('advice for people at a terminal', () => {
  const words = createToolWords(TOOLS);
  it.each([
    ['See them with: npx cutover list', 'See them with: the tool list_files'],
    ['look at it with `npx cutover rollout status kimi`, and end it', 'look at it with the tool get_rollout_status (kimi), and end it'],
    ['Empty it first: npx cutover buckets empty b --provider s3', 'Empty it first: the tool empty_bucket (b `provider` s3)'],
    ['Use --force to overwrite it, or -o for another name.', 'Use `force` to overwrite it, or `path` for another name.'],
    ['a worker makes it when it starts (npx cutover worker)', 'a worker makes it when it starts (npx cutover worker)'],
    ['run `npx cutover up` in this folder', 'run `npx cutover up` in this folder'],
    ['move it first (npx cutover rollout stage kimi live)', 'move it first (npx cutover rollout stage kimi live)'],
    ['To move all of it: npx cutover migrate /a/b', 'To move all of it: the tool start_migration (/a/b)'],
    ['can allow more with --root', 'can allow more with --root'],
    ['a name--with-dashes and -only', 'a name--with-dashes and -only'],
  ])('%s', (said, expected) => expect(words.advice(said)).toBe(expected));

  it('leaves options alone where it is no error: a file may be called so', () => {
    expect(words.commands('a --force.txt, see npx cutover list')).toBe('a --force.txt, see the tool list_files');
  });
});

describe('an error', () => {
  it('tells its code, and whether to try again', () => {
    expect(describeToolError(new FileNotFoundError('no such file', { code: 'file_not_found' }))).toBe(
      'no such file\n(code file_not_found; the same call again cannot help)',
    );
    const slow = new ProviderUnavailableError('slow down', { code: 'rate_limited', provider: 'kimi', retryable: true, retryAfterMs: 1500 });
    expect(describeToolError(slow)).toContain('try again in 2 s');
    expect(describeToolError(new ProviderUnavailableError('away', { code: 'temporal_unreachable', retryable: true }))).toContain(
      'when that is settled',
    );
  });
  it('tells its cause where that is no mistake of the caller', () => {
    const cause = new Error('ECONNRESET');
    expect(describeToolError(new ProviderUnavailableError('away', { code: 'network', cause }))).toContain('Caused by: ECONNRESET');
    expect(describeToolError(new ValidationError('wrong', { code: 'x', cause }))).not.toContain('ECONNRESET');
  });
  it('that nobody expected has no stack', () => {
    const told = describeToolError(new TypeError('x is not a function'));
    expect(told).toMatch(/^Unexpected: x is not a function\. This looks like a bug/);
    expect(told).not.toMatch(/\bat .*:\d+/);
  });
});
