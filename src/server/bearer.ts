import { createHash, timingSafeEqual } from 'node:crypto';
import { RequestRefused } from './refusals.ts';

const hashed = (text: string) => createHash('sha256').update(text).digest();

/** Asks for a bearer token (RFC 6750). Compared as hashes, in a time that tells nothing of how much of it is right. */
export function bearerCheck(token: string): (authorization: string | undefined) => void {
  const expected = hashed(token);
  return (authorization) => {
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(hashed(given), expected)) return;
    throw new RequestRefused(
      401,
      'unauthorized',
      given === undefined ? 'Send the token: Authorization: Bearer CUTOVER_API_TOKEN' : 'The token is not the one of CUTOVER_API_TOKEN',
    );
  };
}
