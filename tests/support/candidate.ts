/** What the candidate asks of its storage, and how it is told apart from everything else that passes a proxy. */

/** A request by which a file is laid there, in the live namespace or in quarantine. @returns its content's hash */
export function storing({ method, path }: { method: string; path: string }): string | null {
  if (method !== 'POST' && method !== 'PUT') return null;
  return /\/object\/[^/]+\/(?:live|shadow)\/[0-9a-f]{2}\/([0-9a-f]{64})/.exec(path)?.[1] ?? null;
}

/** A tenth of all contents, always the same. */
export const inATenth = (sha256: string): boolean => Number.parseInt(sha256.slice(-8), 16) % 10 === 0;
