import { readBody } from './body-reader.ts';
import type { Http } from './http.ts';
import type { Sending } from './marked-vendor.ts';
import { multipartForm } from './multipart.ts';
import { counted } from './progress.ts';
import { type CallTimeouts, transferLimits } from './watchdog.ts';

/**
 * Sends a file as a form in one request of known length. The end of the form goes out only after the SHA-256 was checked: a file that
 * changed breaks the request off before the server can take it.
 * @returns the answer, parsed; its shape is the vendor's word
 */
export async function uploadForm<T>(
  http: Http,
  path: string,
  fields: Readonly<Record<string, string>>,
  { request, filename, onProgress }: Sending,
  timeouts: CallTimeouts,
): Promise<T> {
  const { body, sha256, signal, mimeType } = request;
  const reader = readBody(body, sha256, signal);
  // A type with a parameter is refused by some servers as the type of a part.
  const type = mimeType.split(';')[0] ?? 'application/octet-stream';
  const form = multipartForm(fields, { field: 'file', filename, mimeType: type, sizeBytes: body.sizeBytes });
  try {
    const { text } = await http.call({
      operation: 'upload',
      method: 'POST',
      path,
      headers: { 'content-type': form.contentType, 'content-length': String(form.contentLength) },
      body: form.chunks(counted(reader.read(body.sizeBytes), 0, onProgress)),
      signal,
      limits: transferLimits(timeouts, body.sizeBytes),
    });
    return parsed<T>(http, text);
  } finally {
    reader.close();
  }
}

/** The server has acted, and its answer cannot be read: like a lost one. */
export function parsed<T>(http: Pick<Http, 'failure'>, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw http.failure('upload', { kind: 'broken', code: 'unexpected_answer', retryable: true, detail: 'the answer is no JSON' });
  }
}
