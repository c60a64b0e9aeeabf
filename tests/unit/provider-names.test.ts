import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { markedName, markerIn } from '../../src/providers/marked-name.ts';
import { multipartForm } from '../../src/providers/multipart.ts';

describe('the name under which a file stands at a vendor', () => {
  const marker = randomUUID();
  test.each([
    ['report.pdf', 'pdf', `report.cutover-${marker}.pdf`],
    ['报告 (2).pdf', 'pdf', `报告 (2).cutover-${marker}.pdf`],
    ['../../etc/passwd', '', `passwd.cutover-${marker}`],
    ['a"b\r\nc.txt', 'txt', `a_b_c.cutover-${marker}.txt`],
    ['..', '', `file.cutover-${marker}`],
    ['', 'bin', `file.cutover-${marker}.bin`],
  ])('of %j is readable and safe', (name, extension, expected) => expect(markedName(name, marker, extension)).toBe(expected));

  test('always gives its marker back, and is short and harmless whatever the file was called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
        const marked = markedName(name, marker, 'pdf');
        expect(markerIn(marked)).toBe(marker);
        expect(Buffer.byteLength(marked)).toBeLessThanOrEqual(255);
        expect(marked).toMatch(/^[\p{L}\p{N} _()-]+\.cutover-[0-9a-f-]{36}\.pdf$/u);
      }),
    );
  });

  test.each([null, '', 'report.pdf', 'report.cutover-.pdf', `cutover-${marker}.pdf`])('%j has no marker', (name) =>
    expect(markerIn(name)).toBeNull(),
  );
});

describe('a form with a file', () => {
  async function parsed(filename: string, fields: Record<string, string>, bytes: Buffer) {
    const form = multipartForm(fields, { field: 'file', filename, mimeType: 'text/plain', sizeBytes: bytes.length });
    const parts: Uint8Array[] = [];
    const file = (async function* () {
      yield bytes;
    })();
    for await (const chunk of form.chunks(file)) parts.push(chunk);
    const body = Buffer.concat(parts);
    expect(form.contentLength).toBe(body.length);
    return await new Response(body, { headers: { 'content-type': form.contentType } }).formData();
  }

  test('is read back by a parser that is not ours, with exactly the length that it announced', async () => {
    const read = await parsed(
      'naïve "quote"\n.txt',
      { purpose: 'file-extract', 'expires_after[seconds]': '3600' },
      Buffer.from('hello\r\n--x'),
    );
    expect(read.get('purpose')).toBe('file-extract');
    expect(read.get('expires_after[seconds]')).toBe('3600');
    const file = read.get('file') as File;
    expect(Buffer.from(await file.arrayBuffer()).toString()).toBe('hello\r\n--x');
    expect(file.type).toBe('text/plain');
  });
});
