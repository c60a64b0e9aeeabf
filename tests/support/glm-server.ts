import { bearerFiles, deletedAnswer, segmentsBelow, wireFile } from './bearer-files.ts';
import { type Answer, Refusal, startVendorServer, type VendorServer } from './vendor-server.ts';

export interface GlmServer extends VendorServer {
  readonly apiKey: string;
}

const MB = 1024 * 1024;
const PURPOSES = ['batch', 'code-interpreter', 'agent', 'voice-clone-input', 'file-extract'];
const refusal = (status: number, code: string, message: string) => new Refusal(status, { error: { code, message } });

/** GLM's file API as it is documented: business codes in the body, pages of at most 100, no call for one file. */
export async function startGlmServer({ unknownIs = 404 } = {}): Promise<GlmServer> {
  const files = bearerFiles('glm', {
    key: () => refusal(401, '1000', 'Authentication Failed'),
    unknown: (id) =>
      unknownIs === 404 ? refusal(404, '1220', `file ${id} does not exist`) : refusal(unknownIs, '1214', 'file_id is invalid'),
  });
  const server = await startVendorServer(async (exchange): Promise<Answer> => {
    const { method, url, form } = exchange;
    files.authorize(exchange);
    const [resource, id, content] = segmentsBelow('/api/paas/v4', url);
    if (resource !== 'files') throw refusal(404, '1211', 'no such path');
    if (id === undefined && method === 'POST') {
      const { file, fields } = await form();
      if (file?.field !== 'file') throw refusal(400, '1213', 'file is missing');
      const purpose = fields.purpose ?? '';
      if (!PURPOSES.includes(purpose)) throw refusal(400, '1210', 'purpose is invalid');
      if (purpose === 'batch' && !file.filename.endsWith('.jsonl')) throw refusal(400, '1214', 'batch takes jsonl');
      if (file.sizeBytes > 100 * MB) throw refusal(435, '1261', 'file size exceeds 100MB');
      return { body: wireFile(files.add(file, file.filename, purpose)) };
    }
    if (id === undefined) {
      const { after, limit = '20', purpose, order = 'created_at' } = Object.fromEntries(url.searchParams);
      if (!/^\d+$/.test(limit) || Number(limit) < 1 || Number(limit) > 100) throw refusal(400, '1214', 'limit is between 1 and 100');
      if (order !== 'created_at') throw refusal(400, '1214', 'order is created_at');
      const all = [...files.all.values()].filter((file) => purpose === undefined || file.purpose === purpose);
      const first = after === undefined ? 0 : all.indexOf(files.held(after)) + 1;
      const page = all.slice(first, first + Number(limit));
      return { body: { object: 'list', data: page.map((file) => wireFile(file)), has_more: first + page.length < all.length } };
    }
    if (method === 'GET' && content === undefined) throw refusal(404, '1211', 'no such path');
    const file = files.held(id);
    if (method === 'DELETE') {
      files.all.delete(id);
      return deletedAnswer(id);
    }
    if (!['batch', 'file-extract'].includes(file.purpose)) throw refusal(400, '1214', 'purpose has no content');
    return file.purpose === 'batch' ? { file } : { body: { content: 'what was read' } };
  });
  return { ...server, apiKey: files.apiKey };
}
