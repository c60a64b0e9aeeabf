import { randomUUID } from 'node:crypto';

export interface Multipart {
  /** With the boundary. */
  contentType: string;
  /** Of the whole body: vendors want a Content-Length, and a chunked body is refused by some. */
  contentLength: number;
  /** The preamble, the file's chunks as they come, the trailer. */
  chunks(file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
}

export interface MultipartFile {
  field: string;
  filename: string;
  mimeType: string;
  sizeBytes: number;
}

/**
 * A form with one file as its last part, for a stream of known length (RFC 7578). Names are escaped as browsers do:
 * https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
 */
export function multipartForm(fields: Readonly<Record<string, string>>, file: MultipartFile): Multipart {
  const boundary = `cutover-${randomUUID()}`;
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"\r\n\r\n${value}\r\n`,
  );
  const head = Buffer.from(
    `${parts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="${escaped(file.field)}"; filename="${escaped(file.filename)}"\r\n` +
      `Content-Type: ${file.mimeType}\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    contentLength: head.length + file.sizeBytes + tail.length,
    async *chunks(bytes) {
      yield head;
      yield* bytes;
      yield tail;
    },
  };
}

const escaped = (text: string) => text.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
