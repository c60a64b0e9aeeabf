import { z } from 'zod';
import { httpUrl, text } from './parsers.ts';
import { setting } from './setting.ts';

/** Where the ledger and the storage are. */
export function supabaseSchema() {
  const variables = z.object({
    SUPABASE_URL: setting(httpUrl(), {
      about: 'URL of the Supabase project. Set: that one is used and none is started here',
      default: null,
    }),
    SUPABASE_SECRET_KEY: setting(text(), {
      about: 'Secret key (sb_secret_…) or service_role key of that project',
      default: null,
      secret: true,
      alias: 'SUPABASE_SERVICE_ROLE_KEY',
    }),
    SUPABASE_BUCKET: setting(text(), { about: 'Storage bucket; made when it is missing', default: 'cutover' }),
  });
  const schema = variables.transform((v) => ({
    url: v.SUPABASE_URL,
    secretKey: v.SUPABASE_SECRET_KEY,
    bucket: v.SUPABASE_BUCKET,
  }));
  return { title: 'Supabase', variables, schema };
}
