import { z } from 'zod';
import { boolean, float, httpUrl, integer, list, text } from './parsers.ts';
import { setting } from './setting.ts';

const MIB = 1024 * 1024;

const size = (vendor: string, megabytes: number) =>
  setting(float({ min: 0.000001, max: 5_242_880 }), { about: `Largest file for ${vendor}, in MiB`, default: megabytes });
const rate = (vendor: string, perSecond: number | null) =>
  setting(float({ min: 0.001, max: 10_000 }), {
    about: `Uploads a second to ${vendor}, all workers together; unset: as fast as they go`,
    default: perSecond,
  });
const key = (about: string, alias?: string) =>
  setting(text(), { about, default: null, secret: true, ...(alias === undefined ? {} : { alias }) });
const bytes = (megabytes: number) => Math.max(1, Math.round(megabytes * MIB));

/** Where files can go beside Supabase Storage. A provider is there when its key (S3: its bucket) is set. */
export function providersSchema() {
  const variables = z.object({
    KIMI_API_KEY: key('API key of Kimi (Moonshot)', 'MOONSHOT_API_KEY'),
    KIMI_BASE_URL: setting(httpUrl(), {
      about: 'API of Kimi; keys of api.moonshot.ai and api.moonshot.cn are not the same',
      default: 'https://api.moonshot.ai/v1',
    }),
    KIMI_MAX_FILE_SIZE_MB: size('Kimi', 100),
    KIMI_UPLOADS_PER_SECOND: rate('Kimi', 5),

    GLM_API_KEY: key('API key of GLM (Zhipu, Z.ai)', 'ZAI_API_KEY'),
    GLM_BASE_URL: setting(httpUrl(), {
      about: 'API of GLM: https://open.bigmodel.cn/api/paas/v4 or https://api.z.ai/api/paas/v4',
      default: 'https://open.bigmodel.cn/api/paas/v4',
    }),
    GLM_MAX_FILE_SIZE_MB: size('GLM', 20),
    GLM_UPLOADS_PER_SECOND: rate('GLM', 5),

    OPENAI_API_KEY: key('API key of OpenAI, or of a server that speaks its API'),
    OPENAI_BASE_URL: setting(httpUrl(), { about: 'API of OpenAI or of such a server', default: 'https://api.openai.com/v1' }),
    OPENAI_MAX_FILE_SIZE_MB: size('OpenAI', 512),
    OPENAI_UPLOADS_PER_SECOND: rate('OpenAI', 10),

    ANTHROPIC_API_KEY: key('API key of Anthropic'),
    ANTHROPIC_BASE_URL: setting(httpUrl(), { about: 'API of Anthropic', default: 'https://api.anthropic.com' }),
    ANTHROPIC_MAX_FILE_SIZE_MB: size('Anthropic', 500),
    ANTHROPIC_UPLOADS_PER_SECOND: rate('Anthropic', 5),

    GEMINI_API_KEY: key('API key of Gemini', 'GOOGLE_API_KEY'),
    GEMINI_BASE_URL: setting(httpUrl(), { about: 'API of Gemini', default: 'https://generativelanguage.googleapis.com' }),
    GEMINI_MAX_FILE_SIZE_MB: size('Gemini', 2048),
    GEMINI_UPLOADS_PER_SECOND: rate('Gemini', 5),

    S3_BUCKET: setting(text(), { about: 'Bucket in S3 or a compatible storage', default: null }),
    S3_ENDPOINT: setting(httpUrl(), { about: "Address of a compatible storage; unset: Amazon's own", default: null }),
    S3_REGION: setting(text(), { about: 'Region of the bucket', default: 'us-east-1', alias: 'AWS_REGION' }),
    S3_ACCESS_KEY_ID: setting(text(), {
      about: "Access key; unset: Amazon's default chain (profile, role of the machine)",
      default: null,
      alias: 'AWS_ACCESS_KEY_ID',
    }),
    S3_SECRET_ACCESS_KEY: key('Secret of that access key', 'AWS_SECRET_ACCESS_KEY'),
    S3_SESSION_TOKEN: key('Session token, for temporary credentials', 'AWS_SESSION_TOKEN'),
    S3_FORCE_PATH_STYLE: setting(boolean(), {
      about: 'Bucket in the path instead of the host name. Unset: on where S3_ENDPOINT is set',
      default: null,
    }),
    S3_MAX_FILE_SIZE_MB: size('S3', 5_242_880),
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: parts of 5 MiB to 5 GiB, 10,000 of them.
    S3_MULTIPART_THRESHOLD_MB: setting(float({ min: 5, max: 5120 }), {
      about: 'Larger files (MiB) go in parts, which another worker can go on with',
      default: 64,
    }),
    S3_PART_SIZE_MB: setting(float({ min: 5, max: 5120 }), {
      about: 'Size of a part in MiB; larger where 10,000 would not do',
      default: 16,
    }),
    S3_UPLOADS_PER_SECOND: rate('S3', null),

    SUPABASE_MAX_FILE_SIZE_MB: setting(float({ min: 0.000001, max: 5_242_880 }), {
      about: 'Largest file for Supabase Storage, in MiB; unset: MAX_FILE_SIZE_MB',
      default: null,
    }),
    SUPABASE_UPLOADS_PER_SECOND: rate('Supabase Storage', null),

    PROVIDER_BREAKER_FAILURES: setting(integer({ min: 1, max: 1000 }), {
      about: 'After so many outages in a row a provider is left alone for a while',
      default: 5,
    }),
    PROVIDER_BREAKER_SECONDS: setting(float({ min: 0.1, max: 3600 }), { about: 'For how long', default: 30 }),
    SMART_HANDLER_INLINE_MAX_BYTES: setting(integer({ min: 0, max: 16 * MIB }), {
      about: 'A text up to this size (bytes) is given inline instead of being uploaded',
      default: 32_768,
    }),
    SMART_HANDLER_PROVIDERS: setting(list('names of providers separated by commas', /^[a-z0-9-]+$/), {
      about: 'Where the smart file handler may put files, the preferred ones first; unset: all that are configured',
      default: null,
    }),
  });
  const schema = variables.transform((v, context) => {
    if ((v.S3_ACCESS_KEY_ID === null) !== (v.S3_SECRET_ACCESS_KEY === null)) {
      const missing = v.S3_ACCESS_KEY_ID === null ? 'S3_ACCESS_KEY_ID' : 'S3_SECRET_ACCESS_KEY';
      if (v.S3_BUCKET !== null)
        context.addIssue({ code: 'custom', path: [missing], message: 'must be set too: an access key has two parts' });
    }
    return {
      kimi: {
        apiKey: v.KIMI_API_KEY,
        baseUrl: v.KIMI_BASE_URL,
        maxFileBytes: bytes(v.KIMI_MAX_FILE_SIZE_MB),
        uploadsPerSecond: v.KIMI_UPLOADS_PER_SECOND,
      },
      glm: {
        apiKey: v.GLM_API_KEY,
        baseUrl: v.GLM_BASE_URL,
        maxFileBytes: bytes(v.GLM_MAX_FILE_SIZE_MB),
        uploadsPerSecond: v.GLM_UPLOADS_PER_SECOND,
      },
      openai: {
        apiKey: v.OPENAI_API_KEY,
        baseUrl: v.OPENAI_BASE_URL,
        maxFileBytes: bytes(v.OPENAI_MAX_FILE_SIZE_MB),
        uploadsPerSecond: v.OPENAI_UPLOADS_PER_SECOND,
      },
      anthropic: {
        apiKey: v.ANTHROPIC_API_KEY,
        // With /v1 as well, as some programs have it.
        baseUrl: v.ANTHROPIC_BASE_URL.replace(/\/v1$/, ''),
        maxFileBytes: bytes(v.ANTHROPIC_MAX_FILE_SIZE_MB),
        uploadsPerSecond: v.ANTHROPIC_UPLOADS_PER_SECOND,
      },
      gemini: {
        apiKey: v.GEMINI_API_KEY,
        baseUrl: v.GEMINI_BASE_URL,
        maxFileBytes: bytes(v.GEMINI_MAX_FILE_SIZE_MB),
        uploadsPerSecond: v.GEMINI_UPLOADS_PER_SECOND,
      },
      s3: {
        bucket: v.S3_BUCKET,
        endpoint: v.S3_ENDPOINT,
        region: v.S3_REGION,
        accessKeyId: v.S3_ACCESS_KEY_ID,
        secretAccessKey: v.S3_SECRET_ACCESS_KEY,
        sessionToken: v.S3_SESSION_TOKEN,
        forcePathStyle: v.S3_FORCE_PATH_STYLE ?? v.S3_ENDPOINT !== null,
        maxFileBytes: bytes(v.S3_MAX_FILE_SIZE_MB),
        multipartThresholdBytes: bytes(v.S3_MULTIPART_THRESHOLD_MB),
        partBytes: bytes(v.S3_PART_SIZE_MB),
        uploadsPerSecond: v.S3_UPLOADS_PER_SECOND,
      },
      supabase: {
        /** Null: as large as files may be at all. */
        maxFileBytes: v.SUPABASE_MAX_FILE_SIZE_MB === null ? null : bytes(v.SUPABASE_MAX_FILE_SIZE_MB),
        uploadsPerSecond: v.SUPABASE_UPLOADS_PER_SECOND,
      },
      breaker: { failures: v.PROVIDER_BREAKER_FAILURES, openMs: v.PROVIDER_BREAKER_SECONDS * 1000 },
      smartHandler: { inlineMaxBytes: v.SMART_HANDLER_INLINE_MAX_BYTES, providers: v.SMART_HANDLER_PROVIDERS },
    };
  });
  return { title: 'Providers', variables, schema };
}
