import { z } from 'zod';
import { float, integer, list, oneOf } from './parsers.ts';
import { setting } from './setting.ts';

const MIB = 1024 * 1024;

/** Which files are taken, and how slow a transfer may be. */
export function filesSchema() {
  const variables = z.object({
    MAX_FILE_SIZE_MB: setting(float({ min: 0.000001, max: 1_048_576 }), { about: 'Largest file that is taken, in MiB', default: 512 }),
    ALLOWED_EXTENSIONS: setting(list('extensions separated by commas, such as pdf,tar.gz, or all', /^(\*|\.?[^\s./\\][^\s/\\]*)$/), {
      about: 'Extensions that are taken, separated by commas',
      default: null,
      shown: 'all',
    }),
    TRANSFER_IDLE_TIMEOUT_SECONDS: setting(float({ min: 0.1, max: 86_400 }), {
      about: 'A transfer without a single byte for so long is given up and tried again',
      default: 30,
    }),
    TRANSFER_MIN_BYTES_PER_SECOND: setting(integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), {
      about: 'A transfer may take its size divided by this, and is given up then',
      default: 65_536,
    }),
    ON_DUPLICATE: setting(oneOf('reuse', 'error'), {
      about: 'What an upload of content that is there already answers: the file that is there, or an error',
      default: 'reuse',
    }),
    CUTOVER_LOCAL_LIMIT_BYTES: setting(integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), {
      about: 'Files up to this size (bytes) are moved by local activities, which spare Temporal round trips',
      default: MIB,
    }),
    // Supabase's guide recommends resumable uploads above 6 MB (supabase.com/docs/guides/storage/uploads/resumable-uploads).
    SUPABASE_TUS_THRESHOLD_MB: setting(float({ min: 0, max: 1_048_576 }), {
      about: 'Files above this size (MiB) go up in resumable chunks where the server has them',
      default: 6,
    }),
  });
  const schema = variables.transform((v) => ({
    maxFileBytes: Math.max(1, Math.round(v.MAX_FILE_SIZE_MB * MIB)),
    allowedExtensions: extensions(v.ALLOWED_EXTENSIONS),
    idleTimeoutMs: v.TRANSFER_IDLE_TIMEOUT_SECONDS * 1000,
    minBytesPerSecond: v.TRANSFER_MIN_BYTES_PER_SECOND,
    onDuplicate: v.ON_DUPLICATE,
    localLimitBytes: v.CUTOVER_LOCAL_LIMIT_BYTES,
    tusThresholdBytes: Math.round(v.SUPABASE_TUS_THRESHOLD_MB * MIB),
  }));
  return { title: 'Files', variables, schema };
}

/** In lower case and without the dot in front; null is all. */
function extensions(items: readonly string[] | null): readonly string[] | null {
  if (items === null || items.some((item) => item === '*' || item.toLowerCase() === 'all')) return null;
  return items.map((item) => item.toLowerCase().replace(/^\./, ''));
}
