import { type Answer, freshId, Refusal, type Spooled, startVendorServer, type VendorServer } from './vendor-server.ts';

export interface GeminiServer extends VendorServer {
  readonly apiKey: string;
  /** From now on the processing of uploads fails. */
  failProcessing(): void;
  /** The next upload is stored with other bytes than were sent. */
  damageNext(): void;
  /** All files are gone, as after 48 hours. */
  expireAll(): void;
}

interface Session {
  displayName: string;
  mimeType: string;
  sizeBytes: number;
  parts: Spooled[];
  done: boolean;
}

interface Held {
  name: string;
  displayName: string;
  mimeType: string;
  sizeBytes: number;
  sha256: string | null;
  createdMs: number;
  failed: boolean;
}

const QUANTUM = 256 * 1024;
/**
 * Gemini's Files API as it is documented: resumable uploads in chunks, PROCESSING for a short while, pages by token, a key that is
 * wrong as 400, and, as users have seen it, 403 for a file that is gone. Chunks that break off are not kept.
 */
export async function startGeminiServer({ processingMs = 60 } = {}): Promise<GeminiServer> {
  const apiKey = 'AIza-test-key';
  const files = new Map<string, Held>();
  const sessions = new Map<string, Session>();
  let failing = false;
  let damaging = false;
  const refuse = (code: number, status: string, message: string, reason?: string): never => {
    const details = reason === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }];
    throw new Refusal(code, { error: { code, message, status, details } });
  };
  const state = ({ createdMs, failed }: Held) => (Date.now() - createdMs < processingMs ? 'PROCESSING' : failed ? 'FAILED' : 'ACTIVE');
  const shown = (file: Held) => ({
    name: file.name,
    displayName: file.displayName,
    mimeType: file.mimeType,
    sizeBytes: String(file.sizeBytes),
    createTime: new Date(file.createdMs).toISOString(),
    expirationTime: new Date(file.createdMs + 48 * 3_600_000).toISOString(),
    ...(file.sha256 === null ? {} : { sha256Hash: Buffer.from(file.sha256, 'hex').toString('base64') }),
    uri: `https://generativelanguage.googleapis.com/v1beta/${file.name}`,
    state: state(file),
    ...(state(file) === 'FAILED' ? { error: { code: 3, message: 'the file could not be decoded' } } : {}),
  });

  function start(headers: Record<string, unknown>, body: Record<string, unknown>, host: string): Answer {
    const { displayName = '', mimeType = '' } = (body.file ?? {}) as { displayName?: string; mimeType?: string };
    const id = freshId('');
    const sizeBytes = Number(headers['x-goog-upload-header-content-length']);
    sessions.set(id, { displayName, mimeType, sizeBytes, parts: [], done: false });
    return {
      headers: {
        'x-goog-upload-url': `http://${host}/upload/v1beta/files?upload_id=${id}&upload_protocol=resumable`,
        'x-goog-upload-status': 'active',
      },
      body: {},
    };
  }
  async function take(session: Session, command: string, offset: number, bytes: () => Promise<Spooled>): Promise<Answer> {
    const has = session.parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    if (session.done)
      return {
        headers: { 'x-goog-upload-status': 'final' },
        status: 400,
        body: { error: { code: 400, status: 'FAILED_PRECONDITION', message: 'the upload has ended' } },
      };
    if (command === 'query') return { headers: { 'x-goog-upload-status': 'active', 'x-goog-upload-size-received': String(has) } };
    if (offset !== has) refuse(400, 'INVALID_ARGUMENT', `the offset is ${offset} and should be ${has}`);
    const part = await bytes();
    const last = command.includes('finalize');
    if (!last && part.sizeBytes % QUANTUM !== 0) refuse(400, 'INVALID_ARGUMENT', 'a chunk must be a multiple of 256 KiB');
    if (part.sizeBytes > 0 || last) session.parts.push(part);
    if (!last) return { headers: { 'x-goog-upload-status': 'active', 'x-goog-upload-size-received': String(has + part.sizeBytes) } };
    if (has + part.sizeBytes !== session.sizeBytes) refuse(400, 'INVALID_ARGUMENT', 'the file has another size than was said');
    session.done = true;
    const { displayName, mimeType, sizeBytes, parts } = session;
    // Several parts are not hashed together here; the field is optional.
    const sha256 = damaging ? '0'.repeat(64) : parts.length === 1 ? part.sha256 : null;
    damaging = false;
    const file = {
      name: `files/${freshId('').slice(0, 12)}`,
      displayName,
      mimeType,
      sizeBytes,
      sha256,
      createdMs: Date.now(),
      failed: failing,
    };
    files.set(file.name, file);
    return { headers: { 'x-goog-upload-status': 'final' }, body: { file: shown(file) } };
  }

  const server = await startVendorServer(async ({ method, url, headers, json, bytes }): Promise<Answer> => {
    if (headers['x-goog-api-key'] !== apiKey)
      refuse(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', 'API_KEY_INVALID');
    if (url.pathname === '/upload/v1beta/files') {
      const command = String(headers['x-goog-upload-command']);
      if (command === 'start') return start(headers, await json(), headers.host ?? '');
      const session = sessions.get(url.searchParams.get('upload_id') ?? '') ?? refuse(404, 'NOT_FOUND', 'no such upload');
      return await take(session, command, Number(headers['x-goog-upload-offset'] ?? 0), bytes);
    }
    if (url.pathname === '/v1beta/files') {
      const size = Math.min(100, Number(url.searchParams.get('pageSize') ?? 10));
      const first = Number(url.searchParams.get('pageToken') ?? 0);
      const all = [...files.values()].reverse();
      const page = all.slice(first, first + size).map(shown);
      return {
        body: {
          ...(page.length === 0 ? {} : { files: page }),
          ...(first + size < all.length ? { nextPageToken: String(first + size) } : {}),
        },
      };
    }
    const name = url.pathname.replace(/^\/v1beta\//, '');
    const file =
      files.get(name) ?? refuse(403, 'PERMISSION_DENIED', `You do not have permission to access the File ${name} or it may not exist.`);
    if (method === 'DELETE') {
      files.delete(name);
      return { body: {} };
    }
    return { body: shown(file) };
  });
  return {
    ...server,
    apiKey,
    failProcessing() {
      failing = true;
    },
    damageNext() {
      damaging = true;
    },
    expireAll: () => files.clear(),
  };
}
