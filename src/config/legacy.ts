import { z } from 'zod';
import { httpUrl, text } from './parsers.ts';
import { setting } from './setting.ts';

/** The old upload path, as far as workers and `cutover serve` are to reach it by themselves. */
export function legacySchema() {
  const variables = z.object({
    LEGACY_URL: setting(httpUrl(), {
      about: 'The old upload path behind HTTP: the address below which the paths of its contract are',
      default: null,
    }),
    LEGACY_TOKEN: setting(text(), { about: 'Bearer token for it', default: null, secret: true }),
    LEGACY_BUCKET: setting(text(), {
      about: 'Instead of that: the bucket of an application that writes straight to Supabase Storage, with a row in `files`',
      default: null,
    }),
  });
  const schema = variables.transform((v, context) => {
    if (v.LEGACY_URL !== null && v.LEGACY_BUCKET !== null)
      context.addIssue({ code: 'custom', path: ['LEGACY_BUCKET'], message: 'must not be set beside LEGACY_URL: there is one old path' });
    if (v.LEGACY_URL === null && v.LEGACY_TOKEN !== null)
      context.addIssue({ code: 'custom', path: ['LEGACY_URL'], message: 'must be set too: LEGACY_TOKEN is for it' });
    return { url: v.LEGACY_URL, token: v.LEGACY_TOKEN, bucket: v.LEGACY_BUCKET };
  });
  return { title: 'The old upload path', variables, schema };
}
