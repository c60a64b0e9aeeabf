import { givesBack } from '../domain/capabilities.ts';
import { ProviderNotFoundError } from '../domain/errors.ts';
import type { FileCopy } from '../domain/models.ts';
import { namesByContent, type Provider } from '../providers/provider.ts';

/** An object whose bytes can be read back. */
export interface Original {
  from: Provider;
  id: string;
}

/**
 * Where the bytes of a file can be read now: its completed, live, undeleted and unexpired copies at providers that are configured
 * and give originals back. Copies in another account come last, and only of a storage, whose ids name their bucket.
 */
export function readableCopies(copies: readonly FileCopy[], provider: (name: string) => Provider, nowMs: number): Original[] {
  const here: Original[] = [];
  const elsewhere: Original[] = [];
  for (const copy of copies) {
    if (copy.providerFileId === null || !isThere(copy, nowMs) || copy.deletedAt !== null || copy.namespace !== 'live') continue;
    const from = configured(copy.provider, provider);
    if (from === null || !givesBack(from.capabilities, copy.purpose)) continue;
    if (from.account === copy.account) here.push({ from, id: copy.providerFileId });
    else if (namesByContent(from)) elsewhere.push({ from, id: copy.providerFileId });
  }
  return [...here, ...elsewhere];
}

/** Completed, not purged, and not dropped by the provider itself. */
export const isThere = ({ status, purgedAt, expiresAt }: FileCopy, nowMs: number): boolean =>
  status === 'completed' && purgedAt === null && (expiresAt === null || Date.parse(expiresAt) > nowMs);

function configured(name: string, provider: (name: string) => Provider): Provider | null {
  try {
    return provider(name);
  } catch (error) {
    if (error instanceof ProviderNotFoundError) return null;
    throw error;
  }
}
