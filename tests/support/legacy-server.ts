import { type Answer, freshId, Refusal, type Spooled, startVendorServer, type VendorServer } from './vendor-server.ts';

interface Held extends Spooled {
  id: string;
  name: string;
  mimeType: string;
  user: string | null;
}

export type LegacyServer = VendorServer & { token: string; files: Map<string, Held> };

/**
 * An application's old upload service, as the contract of `legacy-http` has it.
 * @param spelled how it tells the name of a file
 */
export async function startLegacyServer(token = 'legacy-token', spelled = (name: string) => name): Promise<LegacyServer> {
  const files = new Map<string, Held>();
  const shown = ({ id, name, sizeBytes, mimeType }: Held) => ({ id, name: spelled(name), size_bytes: sizeBytes, mime_type: mimeType });
  const server = await startVendorServer(async ({ method, url, headers, bytes }): Promise<Answer> => {
    if (headers.authorization !== `Bearer ${token}`) throw new Refusal(401, { message: 'who are you?' });
    const { searchParams: query } = url;
    const [, id, content] = /^\/files(?:\/([^/]+))?(\/content)?$/.exec(url.pathname) ?? [];
    if (id === undefined && method === 'POST') {
      const spooled = await bytes();
      const file = {
        ...spooled,
        id: freshId('old/'),
        name: query.get('name') ?? '',
        mimeType: headers['content-type'] ?? '',
        user: query.get('user'),
      };
      files.set(file.id, file);
      return { status: 201, body: shown(file) };
    }
    if (id === undefined) {
      const mine = [...files.values()].filter(({ user }) => user === query.get('user')).sort((a, b) => (a.id < b.id ? -1 : 1));
      const rest = mine.filter((file) => file.id > (query.get('after') ?? ''));
      const page = rest.slice(0, Number(query.get('limit')));
      return { body: { files: page.map(shown), next: rest.length > page.length ? page.at(-1)?.id : null } };
    }
    const file = files.get(decodeURIComponent(id));
    if (file === undefined) throw new Refusal(404, { message: 'no such file' });
    if (method === 'DELETE') files.delete(file.id);
    return content === undefined ? { body: shown(file) } : { file };
  });
  return { ...server, token, files };
}
