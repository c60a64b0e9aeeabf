/** One part of a form; its bytes are to be read to their end before the next part is asked for. */
export interface FormPart {
  name: string;
  /** Null: a plain field. */
  filename: string | null;
  mimeType: string | null;
  chunks: AsyncIterable<Buffer>;
}

/** Reads multipart/form-data as it comes, in the memory of a chunk. Throws when the form ends before its last boundary. */
export async function* readForm(contentType: string, body: AsyncIterable<Buffer>): AsyncGenerator<FormPart> {
  const boundary = /boundary="?([^";]+)/.exec(contentType)?.[1];
  if (boundary === undefined) throw new Error('no boundary');
  const source = body[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.from('\r\n');
  async function more(): Promise<void> {
    const { done, value } = await source.next();
    if (done) throw new Error('the form has no end');
    rest = Buffer.concat([rest, value]);
  }
  /** All up to the mark, which is taken away. */
  async function* upTo(mark: string): AsyncGenerator<Buffer> {
    for (;;) {
      const end = rest.indexOf(mark);
      const given = rest.subarray(0, end === -1 ? Math.max(0, rest.length - mark.length + 1) : end);
      rest = rest.subarray(end === -1 ? given.length : end + mark.length);
      if (given.length > 0) yield given;
      if (end !== -1) return;
      await more();
    }
  }
  const delimiter = `\r\n--${boundary}`;
  for await (const _ of upTo(delimiter));
  for (;;) {
    while (rest.length < 2) await more();
    if (rest.subarray(0, 2).toString() === '--') break;
    const head = (await collected(upTo('\r\n\r\n'))).toString();
    const said = (name: string) => unescaped(new RegExp(`[; ]${name}="([^"]*)"`).exec(head)?.[1]);
    yield {
      name: said('name') ?? '',
      filename: said('filename'),
      mimeType: /content-type: *(\S+)/i.exec(head)?.[1] ?? null,
      chunks: upTo(delimiter),
    };
  }
  for (;;) if ((await source.next()).done) return;
}

const unescaped = (text: string | undefined) => text?.replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n') ?? null;

/** All bytes of a stream that is known to be small. */
export async function collected(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
