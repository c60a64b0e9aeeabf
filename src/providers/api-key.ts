import { ValidationError } from '../domain/errors.ts';

/** Refuses what cannot stand in a header, without repeating it. Throws ValidationError `invalid_key`. */
export function checkApiKey(provider: string, variable: string, apiKey: string): void {
  if (!/^[\x21-\x7e]+$/.test(apiKey))
    throw new ValidationError(`${variable} is empty or has a character that no key has (a space, a line break?)`, {
      code: 'invalid_key',
      provider,
    });
}
