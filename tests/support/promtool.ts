import { spawnSync } from 'node:child_process';

/** Debian's package `prometheus` has it. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

/** What `promtool check metrics` says of a text; empty where it has nothing against it. */
export function promtoolSays(text: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
}
