import type { Config } from '../config/index.ts';
import { createAnthropic } from '../providers/anthropic.ts';
import { createGemini } from '../providers/gemini.ts';
import { createGlm } from '../providers/glm.ts';
import { createKimi } from '../providers/kimi.ts';
import { createMcpStorage } from '../providers/mcp-storage.ts';
import { createOpenAi } from '../providers/openai.ts';
import type { Provider } from '../providers/provider.ts';
import type { Unconfigured } from '../providers/registry.ts';
import { createS3 } from '../providers/s3.ts';
import { createSupabaseStorage } from '../providers/supabase-storage.ts';
import type { VendorOptions } from '../providers/vendor.ts';

export type VendorConfig = Pick<Config, 'supabase' | 'files' | 'operations' | 'providers'> & Partial<Pick<Config, 'mcp'>>;
export type VendorName = 'anthropic' | 'gemini' | 'glm' | 'kimi' | 'mcp' | 'openai' | 's3' | 'supabase';

interface Vendor {
  name: VendorName;
  /** The variable that makes it be there. */
  variable: string;
  /** Null where it is not configured. */
  make(config: VendorConfig, common: Omit<VendorOptions, 'maxFileBytes'>): Provider | null;
}

/** Vendors that need a key and nothing else. */
function keyed(
  name: 'anthropic' | 'gemini' | 'glm' | 'kimi' | 'openai',
  create: (options: VendorOptions & { apiKey: string; baseUrl: string }) => Provider,
): Vendor {
  return {
    name,
    variable: `${name.toUpperCase()}_API_KEY`,
    make({ providers }, common) {
      const { apiKey, baseUrl, maxFileBytes } = providers[name];
      return apiKey === null ? null : create({ ...common, apiKey, baseUrl, maxFileBytes });
    },
  };
}

/** Every provider that there can be. */
const VENDORS: readonly Vendor[] = [
  keyed('anthropic', createAnthropic),
  keyed('gemini', createGemini),
  keyed('glm', createGlm),
  keyed('kimi', createKimi),
  {
    name: 'mcp',
    variable: 'MCP_CONFIG',
    make({ mcp }, common) {
      if (mcp === undefined || mcp.storage === null) return null;
      const { storage } = mcp;
      const { server } = storage;
      const maxFileBytes = Math.max(1, Math.round(storage.maxFileMb * 1024 * 1024));
      return createMcpStorage({
        ...{ ...common, storage, maxFileBytes },
        transport: async () => (await import('../providers/mcp-transport.ts')).transportTo(server, maxFileBytes),
      });
    },
  },
  keyed('openai', createOpenAi),
  {
    name: 's3',
    variable: 'S3_BUCKET',
    make({ providers: { s3 } }, common) {
      const { bucket, ...settings } = s3;
      return bucket === null ? null : createS3({ ...common, ...settings, bucket });
    },
  },
  {
    name: 'supabase',
    variable: 'SUPABASE_URL',
    make({ supabase: { url, secretKey, bucket, embedded }, files, providers }, common) {
      if (url === null || secretKey === null) return null;
      const maxFileBytes = providers.supabase.maxFileBytes ?? files.maxFileBytes;
      // The port of the embedded one may change from start to start; the copies are the same ones.
      const account = embedded ? { account: `embedded/${bucket}` } : {};
      return createSupabaseStorage({
        ...common,
        url,
        secretKey,
        bucket,
        maxFileBytes,
        tusThresholdBytes: files.tusThresholdBytes,
        ...account,
      });
    },
  },
];

/** The configured providers, and the names of the others with what to set for them. `commonOf` gives what each is made with. */
export function makeVendors(
  config: VendorConfig,
  commonOf: (name: VendorName) => Omit<VendorOptions, 'maxFileBytes'>,
): { providers: Provider[]; unconfigured: Unconfigured[] } {
  const providers: Provider[] = [];
  const unconfigured: Unconfigured[] = [];
  for (const { name, variable, make } of VENDORS) {
    const provider = make(config, commonOf(name));
    if (provider === null) unconfigured.push({ name, variable });
    else providers.push(provider);
  }
  return { providers, unconfigured };
}
