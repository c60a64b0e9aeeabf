import { spawnSync } from 'node:child_process';

/** Where promtool is, or why a test that needs it is skipped. Debian has it in its package prometheus. */
export const promtool: { path: string } | { missing: string } =
  spawnSync('promtool', ['--version']).status === 0
    ? { path: 'promtool' }
    : { missing: 'promtool is not installed here (Debian: apt-get install prometheus)' };

export const hasPromtool = 'path' in promtool;

/** What `promtool check metrics` says of a text; empty where it has nothing against it. */
export function promtoolSays(text: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
}
