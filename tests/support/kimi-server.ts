import { bearerFiles, deletedAnswer, openAiRefusal, segmentsBelow, wireFile } from './bearer-files.ts';
import { type Answer, startVendorServer, type VendorServer } from './vendor-server.ts';

export interface KimiServer extends VendorServer {
  readonly apiKey: string;
}

const MB = 1024 * 1024;

/** Kimi's file API as it is documented: the whole list at once, text instead of originals, three kinds of 400 that differ in words. */
export async function startKimiServer(limits: { files?: number; bytes?: number } = {}): Promise<KimiServer> {
  const { files: maxFiles = 1000, bytes: maxBytes = 10 * 1024 * MB } = limits;
  const invalid = (message: string) => openAiRefusal(400, 'invalid_request_error', message);
  const files = bearerFiles('kimi', {
    key: () => openAiRefusal(401, 'invalid_authentication_error', 'Invalid Authentication'),
    unknown: (id) => openAiRefusal(404, 'resource_not_found_error', `file ${id} not found`),
  });
  const server = await startVendorServer(async (exchange): Promise<Answer> => {
    const { method, url, form } = exchange;
    files.authorize(exchange);
    const [resource, id, content] = segmentsBelow('/v1', url);
    if (resource !== 'files') throw openAiRefusal(404, 'resource_not_found_error', 'no such path');
    if (id === undefined && method === 'POST') {
      const { file, fields } = await form();
      if (file?.field !== 'file') throw invalid('file is required');
      if (!['file-extract', 'image', 'video', 'batch'].includes(fields.purpose ?? '')) throw invalid('purpose is invalid');
      if (/\.(jpg|exe|bin)$/.test(file.filename)) throw invalid('file type is not supported');
      if (file.sizeBytes > 100 * MB) throw invalid('File size is too large, max file size is 100MB, please confirm and re-upload the file');
      if (file.sizeBytes === 0) throw invalid('File size is zero, please confirm and re-upload the file');
      const total = [...files.all.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, file.sizeBytes);
      if (files.all.size >= maxFiles || total > maxBytes)
        throw invalid(
          `The number of files you have uploaded exceeded the max file count ${maxFiles}, please delete previous uploaded files`,
        );
      return { body: wireFile(files.add(file, file.filename, fields.purpose ?? ''), { status: 'ready', status_details: '' }) };
    }
    // The newest first, and no pages, whatever is asked.
    if (id === undefined) return { body: { object: 'list', data: [...files.all.values()].reverse().map((file) => wireFile(file)) } };
    const file = files.held(id);
    if (method === 'DELETE') {
      files.all.delete(id);
      return deletedAnswer(id);
    }
    return content === undefined ? { body: wireFile(file, { status: 'ok' }) } : { body: { content: 'what was read', file_type: 'text' } };
  });
  return { ...server, apiKey: files.apiKey };
}
