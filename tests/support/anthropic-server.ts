import { type Answer, freshId, Refusal, type Spooled, startVendorServer, type VendorServer } from './vendor-server.ts';

export interface AnthropicServer extends VendorServer {
  readonly apiKey: string;
  /** A file that a tool has made, which alone can be read back. */
  addToolFile(file: Spooled): string;
}

interface Held extends Spooled {
  id: string;
  filename: string;
  mimeType: string;
  createdAt: string;
  downloadable: boolean;
}

/** 500 MB a request. */
const LARGEST = 500 * 1024 * 1024;

/** Anthropic's Files API as it is documented: key and version by header, pages by `next_page`, uploads that cannot be read back. */
export async function startAnthropicServer(): Promise<AnthropicServer> {
  const apiKey = 'sk-ant-test-key';
  const files = new Map<string, Held>();
  const refuse = (status: number, type: string, message: string): never => {
    throw new Refusal(status, { type: 'error', error: { type, message }, request_id: freshId('req_') });
  };
  const shown = ({ id, filename, mimeType, sizeBytes, createdAt, downloadable }: Held) => ({
    ...{ id, type: 'file', filename, mime_type: mimeType, size_bytes: sizeBytes, created_at: createdAt, downloadable, expires_at: null },
  });
  const held = (id: string): Held => files.get(id) ?? refuse(404, 'not_found_error', `File not found: ${id}`);
  const add = (file: Spooled, filename: string, mimeType: string, downloadable: boolean): Held => {
    const one = { ...file, id: freshId('file_'), filename, mimeType, downloadable, createdAt: new Date().toISOString() };
    files.set(one.id, one);
    return one;
  };

  const server = await startVendorServer(async ({ method, url, headers, form }): Promise<Answer> => {
    if (headers['x-api-key'] !== apiKey) refuse(401, 'authentication_error', 'invalid x-api-key');
    if (headers['anthropic-version'] !== '2023-06-01') refuse(400, 'invalid_request_error', 'anthropic-version: header is required');
    const [, id = '', content] =
      /^\/v1\/files(?:\/([^/]+))?(\/content)?$/.exec(url.pathname) ?? refuse(404, 'not_found_error', 'Not found');
    if (id === '' && method === 'POST') {
      if (Number(headers['content-length']) > LARGEST) refuse(413, 'request_too_large', 'Request exceeds the maximum size');
      const { file } = await form();
      if (file === null) return refuse(400, 'invalid_request_error', 'file: field required');
      return { body: shown(add(file, file.filename, file.mimeType ?? 'application/octet-stream', false)) };
    }
    if (id === '' && method === 'GET') {
      const limit = Math.min(1000, Number(url.searchParams.get('limit') ?? 20));
      const all = [...files.values()].reverse();
      const first = Number(url.searchParams.get('page')?.replace('page_', '') ?? 0);
      const next = first + limit < all.length ? `page_${first + limit}` : null;
      return { body: { data: all.slice(first, first + limit).map(shown), next_page: next } };
    }
    const file = held(id);
    if (method === 'DELETE') {
      files.delete(id);
      return { body: { id, type: 'file_deleted' } };
    }
    if (content === undefined) return { body: shown(file) };
    if (!file.downloadable) refuse(400, 'invalid_request_error', `file_not_downloadable: File ${id} is not downloadable`);
    return { file };
  });
  return { ...server, apiKey, addToolFile: (file) => add(file, 'chart.png', 'image/png', true).id };
}
