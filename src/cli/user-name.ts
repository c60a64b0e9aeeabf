import { userInfo } from 'node:os';

/** Who gives a command, for those who look at it later. A container may run under a number that no account has. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
