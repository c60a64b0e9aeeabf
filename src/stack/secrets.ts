import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { readIfThere, writeAtomically } from './atomic-file.ts';
import { StackError } from './stack-error.ts';

const Secrets = z.object({
  /** Tells this state folder from an earlier one at the same place. */
  instance: z.string(),
  postgresPassword: z.string(),
  /** Signs the tokens of signed-in users and of signed URLs; a real PostgREST needs it too. */
  jwtSecret: z.string(),
  secretKey: z.string(),
  publishableKey: z.string(),
});
export type Secrets = z.infer<typeof Secrets>;

/** The keys of this stack, made once. @throws StackError when the file is there and is not ours. */
export function loadSecrets(path: string): Secrets {
  const text = readIfThere(path);
  if (text === null) {
    const made = generate();
    writeAtomically(path, `${JSON.stringify(made, null, 2)}\n`);
    return made;
  }
  try {
    return Secrets.parse(JSON.parse(text));
  } catch (cause) {
    throw new StackError(
      'state_unusable',
      `${path} is damaged. Restore it, or delete the whole state folder to begin anew (its data is lost).`,
      cause,
    );
  }
}

/** The keys have the form of Supabase's own API keys: not JWTs, accepted as `apikey` and as bearer token. */
function generate(): Secrets {
  const random = (bytes: number) => randomBytes(bytes).toString('base64url');
  return {
    instance: randomBytes(8).toString('hex'),
    postgresPassword: random(24),
    jwtSecret: random(48),
    secretKey: `sb_secret_${random(24)}`,
    publishableKey: `sb_publishable_${random(24)}`,
  };
}

/** Which stack these keys belong to; null when there are none, or none that can be read. */
export function readInstance(path: string): string | null {
  try {
    return Secrets.parse(JSON.parse(readIfThere(path) ?? '')).instance;
  } catch {
    return null;
  }
}
