/** What stands where a secret was. The same as in messages about providers. */
export const REDACTED = '***';

/** Shorter values are found in ordinary words, and would make a log unreadable without hiding anything. */
const SHORTEST_SECRET = 6;

/** What looks like a secret, whoever's it is. Where there is a group, what it holds stays. */
const PATTERNS: readonly RegExp[] = [
  // With a digit, as tokens have: people write of bearer tokens, too.
  /\b(Bearer\s+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{8,}/gi,
  // Supabase, AWS, OpenAI and those who took its form, Google, JSON Web Tokens.
  /\bsb_secret_[\w-]+/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b/g,
  /\bsk-[\w-]{12,}/g,
  /\bAIza[\w-]{20,}/g,
  /\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*/g,
  // Credentials in addresses: https://user:password@host, ?token=…
  /(:\/\/)[^\s/:@"'\\]+:[^\s/@"'\\]+(?=@)/g,
  /([?&](?:key|api[-_]?key|token|access_token|sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token)=)[^&\s"'\\]+/gi,
  // A field of that name in JSON, also in JSON that is itself in a string.
  /((?:authorization|cookie|password|api[-_]?key|secret[-_]?key|access[-_]?token|session[-_]?token)\\*"\s*:\s*\\*")[^"\\]+/gi,
];

/**
 * Hides secrets in a text: these values, however they are written, and whatever looks like one.
 * @param secrets of the configuration; those of less than six characters are not looked for
 */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    // One may be the beginning of another.
    .sort((a, b) => b.length - a.length);
  const values = forms.length === 0 ? null : new RegExp([...new Set(forms)].map(escaped).join('|'), 'g');
  return (text) => {
    const known = values === null ? text : text.replace(values, REDACTED);
    return PATTERNS.reduce(
      (said, pattern) => said.replace(pattern, (_, kept: unknown) => `${typeof kept === 'string' ? kept : ''}${REDACTED}`),
      known,
    );
  };
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
