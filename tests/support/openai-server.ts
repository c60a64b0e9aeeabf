import { createHash } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { bearerFiles, deletedAnswer, openAiRefusal, segmentsBelow, wireFile } from './bearer-files.ts';
import { type Answer, freshId, nowSeconds, type Spooled, startVendorServer, type VendorServer } from './vendor-server.ts';

export interface OpenAiServer extends VendorServer {
  readonly apiKey: string;
  /** Length of each part that was taken, in order. */
  readonly parts: number[];
  /** How often uploads in parts were begun, and given up by whoever began them. */
  readonly begun: number;
  readonly cancelled: number;
  /** Forgets all that were begun, as when their hour is over. */
  expireAll(): void;
}

export interface OpenAiServerOptions {
  /** As compatible servers without them. */
  hasUploads?: boolean;
  /** These may not be downloaded. */
  keptPurposes?: readonly string[];
}

interface Upload {
  bytes: number;
  filename: string;
  purpose: string;
  parts: Map<string, Spooled>;
  status: 'pending' | 'completed' | 'cancelled';
}

const PART_BYTES = 64 * 1024 * 1024;

/** OpenAI's file API as it is documented, with uploads in parts, which the independent server lacks. */
export async function startOpenAiServer({ hasUploads = true, keptPurposes = [] }: OpenAiServerOptions = {}): Promise<OpenAiServer> {
  const invalid = (message: string) => openAiRefusal(400, 'invalid_request_error', message);
  const unknown = (what: string) => openAiRefusal(404, 'invalid_request_error', `No such ${what}`);
  const files = bearerFiles('file', {
    key: () => openAiRefusal(401, 'invalid_request_error', 'Incorrect API key provided'),
    unknown: (id) => unknown(`File object: ${id}`),
  });
  const uploads = new Map<string, Upload>();
  const parts: number[] = [];
  let begun = 0;
  let cancelled = 0;

  const shownUpload = (id: string, { bytes, filename, purpose, status }: Upload, file: object | null = null) => ({
    body: { id, object: 'upload', bytes, filename, purpose, status, created_at: nowSeconds(), expires_at: nowSeconds() + 3600, file },
  });
  async function complete(id: string, upload: Upload, { part_ids, md5 }: Record<string, unknown>): Promise<Answer> {
    const [first, ...rest] = (part_ids as string[]).map((part) => upload.parts.get(part));
    if (first === undefined || rest.includes(undefined)) throw invalid('unknown part');
    const whole = { ...first };
    for (const part of rest as Spooled[]) {
      await appendFile(whole.path, await readFile(part.path));
      whole.sizeBytes += part.sizeBytes;
    }
    const bytes = await readFile(whole.path);
    if (whole.sizeBytes !== upload.bytes) throw invalid(`expected ${upload.bytes} bytes, got ${whole.sizeBytes}`);
    if (md5 !== undefined && createHash('md5').update(bytes).digest('hex') !== md5) throw invalid('the MD5 is another one');
    upload.status = 'completed';
    const file = files.add({ ...whole, sha256: createHash('sha256').update(bytes).digest('hex') }, upload.filename, upload.purpose);
    return shownUpload(id, upload, wireFile(file));
  }

  const server = await startVendorServer(async (exchange): Promise<Answer> => {
    const { method, url, form, json } = exchange;
    files.authorize(exchange);
    const [resource, id, action] = segmentsBelow('/v1', url);
    if (resource === 'uploads' && hasUploads && method === 'POST') {
      if (id === undefined) {
        const { bytes, filename, purpose } = (await json()) as { bytes: number; filename: string; purpose: string };
        const made: Upload = { bytes, filename, purpose, parts: new Map(), status: 'pending' };
        const uploadId = freshId('upload_');
        uploads.set(uploadId, made);
        begun += 1;
        return shownUpload(uploadId, made);
      }
      const upload = uploads.get(id);
      if (upload === undefined) throw unknown(`Upload: ${id}`);
      if (upload.status !== 'pending') throw invalid(`Upload ${id} is ${upload.status} already`);
      if (action === 'parts') {
        const { file } = await form();
        if (file?.field !== 'data' || file.sizeBytes > PART_BYTES) throw invalid('data: at most 64 MB');
        const part = freshId('part_');
        upload.parts.set(part, file);
        parts.push(file.sizeBytes);
        return { body: { id: part, object: 'upload.part', created_at: nowSeconds(), upload_id: id } };
      }
      if (action === 'complete') return await complete(id, upload, await json());
      cancelled += 1;
      upload.status = 'cancelled';
      return shownUpload(id, upload);
    }
    if (resource !== 'files') throw unknown('path');
    if (id === undefined && method === 'POST') {
      const { file, fields } = await form();
      if (file?.field !== 'file' || fields.purpose === undefined) throw invalid('file and purpose are required');
      if (file.sizeBytes > 512 * 1024 * 1024) throw openAiRefusal(413, 'invalid_request_error', 'File size is too large');
      return { body: wireFile(files.add(file, file.filename, fields.purpose), { status: 'processed' }) };
    }
    if (id === undefined) {
      const { after, limit = '10000', order = 'desc' } = Object.fromEntries(url.searchParams);
      const all = order === 'asc' ? [...files.all.values()] : [...files.all.values()].reverse();
      const first = after === undefined ? 0 : all.indexOf(files.held(after)) + 1;
      const page = all.slice(first, first + Number(limit));
      return { body: { object: 'list', data: page.map((file) => wireFile(file)), has_more: first + page.length < all.length } };
    }
    const file = files.held(id);
    if (method === 'DELETE') {
      files.all.delete(id);
      return deletedAnswer(id);
    }
    if (action === undefined) return { body: wireFile(file) };
    if (keptPurposes.includes(file.purpose)) throw invalid(`Not allowed to download files of purpose: ${file.purpose}`);
    return { file };
  });
  return {
    ...server,
    apiKey: files.apiKey,
    parts,
    get begun() {
      return begun;
    },
    get cancelled() {
      return cancelled;
    },
    expireAll: () => uploads.clear(),
  };
}
