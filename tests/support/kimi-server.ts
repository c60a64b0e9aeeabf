import { type Answer, freshId, nowSeconds, Refusal, type Spooled, startVendorServer, type VendorServer } from './vendor-server.ts';

export interface KimiServer extends VendorServer {
  readonly apiKey: string;
}

interface Held extends Spooled {
  id: string;
  filename: string;
  purpose: string;
  createdAt: number;
}

const MB = 1024 * 1024;
const PURPOSES = ['file-extract', 'image', 'video', 'batch'];

/** Kimi's file API as it is documented: a list without pages, three kinds of 400 that differ in their message alone, text for content. */
export async function startKimiServer({ maxFiles = 1000 } = {}): Promise<KimiServer> {
  const apiKey = 'sk-kimi-test-key';
  const files = new Map<string, Held>();
  const refuse = (status: number, type: string, message: string): never => {
    throw new Refusal(status, { error: { type, message } });
  };
  const invalid = (message: string) => refuse(400, 'invalid_request_error', message);
  const shown = ({ id, filename, purpose, sizeBytes, createdAt }: Held) => ({
    ...{ id, object: 'file', bytes: sizeBytes, created_at: createdAt, filename, purpose, status: 'ok', status_details: '' },
  });

  const server = await startVendorServer(async ({ method, url, headers, form }): Promise<Answer> => {
    if (headers.authorization !== `Bearer ${apiKey}`) refuse(401, 'incorrect_api_key_error', 'Incorrect API key provided');
    const [, id = '', content] =
      /^\/v1\/files(?:\/([^/]+))?(\/content)?$/.exec(url.pathname) ??
      refuse(404, 'resource_not_found_error', 'The requested resource was not found');
    if (id === '' && method === 'POST') {
      const { fields, file } = await form();
      if (file === null || file.field !== 'file') return invalid('file is required');
      const { purpose = '' } = fields;
      if (!PURPOSES.includes(purpose)) invalid(`unsupported purpose: ${purpose}`);
      if (file.sizeBytes === 0) invalid('File size is zero, please confirm and re-upload');
      if (file.sizeBytes > 100 * MB) invalid('File size is too large, max file size is 100MB, please confirm and re-upload');
      if (files.size >= maxFiles) invalid(`You have exceeded the max file count ${maxFiles}, please delete some files`);
      const held = { ...file, id: freshId(''), purpose, createdAt: nowSeconds() };
      files.set(held.id, held);
      return { body: shown(held) };
    }
    if (id === '' && method === 'GET') return { body: { object: 'list', data: [...files.values()].reverse().map(shown) } };
    const held = files.get(id) ?? refuse(404, 'resource_not_found_error', `file ${id} not found`);
    if (method === 'DELETE') {
      files.delete(id);
      return { body: { id, object: 'file', deleted: true } };
    }
    if (content !== undefined) return { body: { content: 'the text in it', file_type: 'text/plain', filename: held.filename } };
    return { body: shown(held) };
  });
  return { ...server, apiKey };
}
