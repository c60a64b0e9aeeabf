import { z } from 'zod';
import { integer, path, text } from './parsers.ts';
import { setting } from './setting.ts';

/** RFC 6750, 2.1: what a bearer token may be made of; and so long that nobody guesses it. */
const TOKEN = /^[A-Za-z0-9._~+/-]{16,}=*$/;

/** `cutover serve`: the facade over HTTP. */
export function serveSchema(cwd: string) {
  const variables = z.object({
    CUTOVER_API_TOKEN: setting(text(), {
      about: 'Bearer token that `cutover serve` asks of its callers: at least 16 characters, as from `openssl rand -hex 32`',
      default: null,
      secret: true,
    }),
    CUTOVER_API_HOST: setting(text(), { about: 'Address on which it listens', default: '127.0.0.1' }),
    CUTOVER_API_PORT: setting(integer({ min: 0, max: 65_535 }), { about: 'Port on which it listens; 0: a free one', default: 8080 }),
    CUTOVER_STAGING_DIR: setting(path(cwd), {
      about:
        'A folder that workers see under the same path: uploads reach them through it. Unset: through Supabase Storage, and with the embedded stack through a folder below CUTOVER_STATE_DIR',
      default: null,
    }),
  });
  const schema = variables.transform((v, context) => {
    if (v.CUTOVER_API_TOKEN !== null && !TOKEN.test(v.CUTOVER_API_TOKEN))
      context.addIssue({
        code: 'custom',
        path: ['CUTOVER_API_TOKEN'],
        message: 'must be at least 16 characters of A-Z, a-z, 0-9 and . _ ~ + / -',
      });
    return { token: v.CUTOVER_API_TOKEN, host: v.CUTOVER_API_HOST, port: v.CUTOVER_API_PORT, stagingDir: v.CUTOVER_STAGING_DIR };
  });
  return { title: 'The HTTP API', variables, schema };
}
