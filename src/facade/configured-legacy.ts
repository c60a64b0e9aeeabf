import type { Config } from '../config/index.ts';
import { callTimeouts } from '../providers/call-timeouts.ts';
import type { FileService } from './file-service.ts';
import { createLegacyHttp } from './legacy-http.ts';
import { createLegacySupabase } from './legacy-supabase.ts';

/** The old upload path of the configuration (LEGACY_URL or LEGACY_BUCKET); null where it names none. */
export function configuredLegacy(config: Pick<Config, 'legacy' | 'supabase' | 'operations' | 'files'>): FileService | null {
  const { legacy, supabase } = config;
  const limits = { timeouts: callTimeouts(config), multipliers: config.operations.multipliers };
  if (legacy.url !== null) return createLegacyHttp({ url: legacy.url, token: legacy.token, ...limits });
  if (legacy.bucket === null || supabase.url === null || supabase.secretKey === null) return null;
  return createLegacySupabase({ url: supabase.url, secretKey: supabase.secretKey, bucket: legacy.bucket, ...limits, seenByWorkers: true });
}
