import { type Found, find, type Layer, stronger } from './layers.ts';
import type { Problem } from './problem.ts';

/** A server's address, and what belongs to that server and must not be sent to, or said of, another one. */
const CONNECTIONS = [
  {
    server: 'Supabase',
    address: 'SUPABASE_URL',
    credentials: ['SUPABASE_SECRET_KEY'],
    required: ['SUPABASE_SECRET_KEY'],
    belongings: [],
  },
  {
    server: 'Temporal',
    address: 'TEMPORAL_ADDRESS',
    credentials: ['TEMPORAL_API_KEY', 'TEMPORAL_TLS_CLIENT_CERT_PATH', 'TEMPORAL_TLS_CLIENT_KEY_PATH'],
    required: [],
    belongings: ['TEMPORAL_TLS', 'TEMPORAL_TLS_SERVER_CA_CERT_PATH', 'TEMPORAL_TLS_SERVER_NAME', 'TEMPORAL_UI_URL'],
  },
  {
    server: 'Kimi',
    address: 'KIMI_BASE_URL',
    credentials: ['KIMI_API_KEY'],
    required: [],
    belongings: [],
  },
  {
    server: 'GLM',
    address: 'GLM_BASE_URL',
    credentials: ['GLM_API_KEY'],
    required: [],
    belongings: [],
  },
  {
    server: 'OpenAI',
    address: 'OPENAI_BASE_URL',
    credentials: ['OPENAI_API_KEY'],
    required: [],
    belongings: [],
  },
  {
    server: 'Anthropic',
    address: 'ANTHROPIC_BASE_URL',
    credentials: ['ANTHROPIC_API_KEY'],
    required: [],
    belongings: [],
  },
  {
    server: 'Gemini',
    address: 'GEMINI_BASE_URL',
    credentials: ['GEMINI_API_KEY'],
    required: [],
    belongings: [],
  },
  {
    server: 'S3',
    address: 'S3_ENDPOINT',
    credentials: ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY', 'S3_SESSION_TOKEN'],
    required: [],
    belongings: [],
  },
] as const;

export interface Paired {
  found: Map<string, Found>;
  problems: Problem[];
  warnings: string[];
}

/**
 * Keeps an address and its credentials together. What the embedded server wrote is never used with somebody's address; a
 * credential must come from the layer of its address or a stronger one; and one that was given without an address is not
 * sent to the embedded server.
 */
export function pairConnections(all: ReadonlyMap<string, Found>, layers: readonly Layer[]): Paired {
  const found = new Map(all);
  const problems: Problem[] = [];
  const warnings: string[] = [];
  for (const { server, address, credentials, required, belongings } of CONNECTIONS) {
    const anchor = set(found, address);
    for (const name of [...credentials, ...belongings]) {
      const own = found.get(name);
      if (own === undefined || anchor === undefined) continue;
      if (anchor.origin === 'stack') {
        if (own.origin === 'stack') continue;
        const embedded = find(
          layers.filter(({ origin }) => origin === 'stack'),
          name,
          null,
        );
        if (embedded === null) found.delete(name);
        else found.set(name, embedded);
        if (own.value !== '')
          warnings.push(`${own.name} (${own.where}) is not used: ${address} is not set beside it, and the embedded ${server} has its own`);
      } else if (stronger(anchor.origin, own.origin)) {
        if (own.origin === 'stack') found.delete(name);
        else if ((credentials as readonly string[]).includes(name) && own.value !== '')
          problems.push({
            variable: name,
            value: null,
            message: `must be set in ${anchor.where} too, where ${address} is: the one in ${own.where} may belong to another server (set it empty if there is none)`,
            where: own.where,
          });
      }
    }
    for (const name of required)
      if (anchor !== undefined && set(found, name) === undefined)
        problems.push({ variable: name, value: null, message: `must be set in ${anchor.where}, where ${address} is`, where: null });
  }
  return { found, problems, warnings };
}

function set(found: ReadonlyMap<string, Found>, name: string): Found | undefined {
  const value = found.get(name);
  return value === undefined || value.value === '' ? undefined : value;
}
