import { type Answer, type Exchange, freshId, nowSeconds, Refusal, type Spooled } from './vendor-server.ts';

/** A file of a test server that speaks OpenAI's shape. */
export interface BearerFile extends Spooled {
  id: string;
  filename: string;
  purpose: string;
  createdAt: number;
}

/** The files of one account, whose only key it is. Each vendor refuses in words of its own. */
export interface BearerFiles {
  readonly apiKey: string;
  readonly all: Map<string, BearerFile>;
  add(file: Spooled, filename: string, purpose: string): BearerFile;
  /** Throws the refusal of a wrong key. */
  authorize(exchange: Exchange): void;
  /** Throws the refusal of an unknown id. */
  held(id: string): BearerFile;
}

export function bearerFiles(prefix: string, refuse: { key: () => Refusal; unknown: (id: string) => Refusal }): BearerFiles {
  const apiKey = `${prefix}-test-key`;
  const all = new Map<string, BearerFile>();
  return {
    apiKey,
    all,
    add({ path, sha256, sizeBytes }, filename, purpose) {
      const file = { path, sha256, sizeBytes, filename, purpose, id: freshId(`${prefix}-`), createdAt: nowSeconds() };
      all.set(file.id, file);
      return file;
    },
    authorize({ headers }) {
      if (headers.authorization !== `Bearer ${apiKey}`) throw refuse.key();
    },
    held(id) {
      const file = all.get(id);
      if (file === undefined) throw refuse.unknown(id);
      return file;
    },
  };
}

export const wireFile = ({ id, sizeBytes, filename, purpose, createdAt }: BearerFile, more: object = {}) => ({
  ...{ id, object: 'file', bytes: sizeBytes, created_at: createdAt, filename, purpose },
  ...more,
});

/** `{error: {type, message}}`, as OpenAI and Kimi have it. */
export const openAiRefusal = (status: number, type: string, message: string): Refusal => new Refusal(status, { error: { type, message } });

/** The part of a path behind the API's root: `/v1/files/x/content` → `['files', 'x', 'content']`. */
export const segmentsBelow = (root: string, url: URL): string[] =>
  url.pathname.startsWith(`${root}/`)
    ? url.pathname
        .slice(root.length + 1)
        .split('/')
        .map(decodeURIComponent)
    : [];

/** What deleting answers at all three. */
export const deletedAnswer = (id: string): Answer => ({ body: { id, object: 'file', deleted: true } });
