import { expect, test } from 'vitest';
import { withoutSecrets } from '../../src/providers/failure.ts';

test.each([
  ['as it is', 'no rights for key/1', ['key/1'], 'no rights for ***'],
  ['as often as it comes', 'key/1, key/1', ['key/1'], '***, ***'],
  ['as a URL has it', '?key=key%2F1&x', ['key/1'], '?key=***&x'],
  ['whole, where another one is its beginning', 'key/1-and-more', ['key/1', 'key/1-and-more'], '***'],
  ['not, where it is empty', 'as it was', [''], 'as it was'],
])('A secret in what a server said is masked %s', (_, said, secrets, masked) => expect(withoutSecrets(said, secrets)).toBe(masked));
