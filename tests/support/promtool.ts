import { execFileSync } from 'node:child_process';

/** Where promtool is, or why a test that needs it is skipped. Debian has it in its package prometheus. */
export const promtool: { path: string } | { missing: string } = (() => {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return { path: 'promtool' };
  } catch {
    return { missing: 'promtool is not installed here (Debian: apt-get install prometheus)' };
  }
})();
