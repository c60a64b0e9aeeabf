import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Capabilities, choosePurpose, extensionOf, givesBack, refusalOf, storageCapabilities } from '../../src/domain/capabilities.ts';

const MB = 1_000_000;
const vendor: Capabilities = {
  maxFileBytes: 100 * MB,
  minFileBytes: 1,
  downloads: false,
  ranges: false,
  quota: { files: 1000, bytes: null },
  expiresAfterSeconds: null,
  purposes: {
    extract: {
      maxFileBytes: 50 * MB,
      extensions: ['pdf', 'png'],
      maxFileBytesOf: { png: 5 * MB },
      maxFiles: 100,
      uses: ['storage', 'extract'],
      downloads: false,
    },
    picture: { maxFileBytes: 20 * MB, extensions: ['png', 'jpeg'], maxFiles: null, uses: ['vision', 'storage'], downloads: false },
    batch: { maxFileBytes: 100 * MB, extensions: ['jsonl'], maxFiles: null, uses: ['batch'], downloads: true },
  },
};
const file = (name: string, sizeBytes: number | null = 10) => ({ name, sizeBytes });

describe('a purpose is chosen', () => {
  test.each([
    ['as given, where the vendor knows it', 'picture', file('a.png'), 'picture'],
    ['as given, also where it will not fit, so that the refusal can say why', 'batch', file('a.png'), 'batch'],
    ['by the use, the preferred one first', 'storage', file('a.pdf'), 'extract'],
    ['by the use and the extension', 'storage', file('a.jpeg'), 'picture'],
    ['by the use and the size', 'storage', file('a.png', 6 * MB), 'picture'],
    ['by the use alone where nothing fits', 'extract', file('a.exe'), 'extract'],
  ])('%s', (_, wanted, facts, purpose) => expect(choosePurpose('vendor', vendor, wanted, facts)).toBe(purpose));

  test('as any word where the vendor has none', () =>
    expect(choosePurpose('s3', storageCapabilities(10), 'anything', file('a'))).toBe('anything'));

  test('or refused, with those there are', () => {
    expect(() => choosePurpose('vendor', vendor, 'poetry', file('a.pdf'))).toThrow(
      /vendor knows no purpose "poetry".*extract, picture, batch.*storage, extract, vision, batch/,
    );
  });
});

describe('a file is refused before a byte is sent', () => {
  test.each([
    ['too large for the vendor', 'batch', file('a.jsonl', 101 * MB), 'file_too_large', /vendor takes at most 100000000 bytes/],
    ['too large for the purpose', 'extract', file('a.pdf', 51 * MB), 'file_too_large', /purpose extract.*50000000/],
    ['too large for its kind', 'extract', file('a.png', 6 * MB), 'file_too_large', /5000000/],
    ['of an extension that is not taken', 'extract', file('a.exe'), 'extension_not_supported', /does not take \.exe; it takes pdf png/],
    ['without an extension', 'extract', file('README'), 'extension_not_supported', /a name without an extension/],
    ['empty', 'extract', file('a.pdf', 0), 'file_empty', /does not take an empty file/],
  ])('that is %s', (_, purpose, facts, code, message) => {
    const refusal = refusalOf('vendor', vendor, purpose, facts);
    expect(refusal).toMatchObject({ code, provider: 'vendor', retryable: false });
    expect(refusal?.message).toMatch(message);
  });

  test('and never one whose size is within the limits, which count to the byte', () => {
    const sizes = fc.integer({ min: 0, max: 200 });
    fc.assert(
      fc.property(
        sizes,
        sizes,
        (max, size) => (refusalOf('s3', storageCapabilities(max), 'storage', file('a', size)) === null) === size <= max,
      ),
    );
  });

  test('an unknown size is no reason', () => expect(refusalOf('vendor', vendor, 'extract', file('a.pdf', null))).toBeNull());
});

test.each([
  ['a.PDF', 'pdf'],
  ['a.tar.gz', 'gz'],
  ['.profile', ''],
  ['folder.d/file', ''],
  ['no', ''],
  ['dot.', ''],
  ['..', ''],
])('the extension of %s is "%s"', (name, extension) => expect(extensionOf(name)).toBe(extension));

test('whether an original is given back depends on the purpose, where the vendor has some', () => {
  expect(givesBack(vendor, 'batch')).toBe(true);
  expect(givesBack(vendor, 'extract')).toBe(false);
  expect(givesBack(vendor, null)).toBe(false);
  expect(givesBack(storageCapabilities(1), 'anything')).toBe(true);
});
