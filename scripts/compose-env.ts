import { createHmac, randomBytes } from 'node:crypto';

/**
 * `node scripts/compose-env.ts > .env` makes every secret that docker-compose.yml asks for, each of its own, and says what else to set.
 * The two keys of Supabase are JWTs signed with its secret: https://supabase.com/docs/guides/self-hosting/docker
 */

const TEN_YEARS = 10 * 365 * 24 * 3600;
const random = (bytes: number): string => randomBytes(bytes).toString('base64url');
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function keyOf(role: 'anon' | 'service_role', secret: string, nowSeconds: number): string {
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ role, iss: 'supabase', iat: nowSeconds, exp: nowSeconds + TEN_YEARS })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export function composeEnv(nowSeconds: number): string {
  const jwtSecret = random(48);
  return `# For docker-compose.yml, which gives its containers addresses of their own. Those below are for commands outside of it.
# Keep this file: without it nobody gets at the databases. It is in .gitignore.

# The folder with the files that are to be migrated.
FILES=

# The old upload path, as \`cutover serve\` asks for it: a bucket here, or LEGACY_URL (and LEGACY_TOKEN).
LEGACY_BUCKET=legacy

TEMPORAL_DB_PASSWORD=${random(24)}
SUPABASE_DB_PASSWORD=${random(24)}
SUPABASE_JWT_SECRET=${jwtSecret}
SUPABASE_ANON_KEY=${keyOf('anon', jwtSecret, nowSeconds)}
SUPABASE_SECRET_KEY=${keyOf('service_role', jwtSecret, nowSeconds)}
CUTOVER_API_TOKEN=${random(32)}
GRAFANA_ADMIN_PASSWORD=${random(24)}

TEMPORAL_ADDRESS=127.0.0.1:7233
TEMPORAL_UI_URL=http://127.0.0.1:8233
SUPABASE_URL=http://127.0.0.1:8000
`;
}

if (import.meta.main) process.stdout.write(composeEnv(Math.floor(Date.now() / 1000)));
