/** A tool and the command that does the same. */
export interface Named {
  name: string;
  /** `rollout start`; null where there is none. */
  command: string | null;
}

/**
 * Advice that was written for people at a terminal, in the words of those who have tools: `npx cutover list` becomes the tool
 * `list_files`, `--force` the argument `force`. Commands that have no tool stay: a person has to run them.
 */
export function createToolWords(tools: readonly Named[]): (text: string) => string {
  const byCommand = new Map(tools.flatMap(({ name, command }) => (command === null ? [] : [[command, name] as const])));
  const longest = [...byCommand.keys()].sort((a, b) => b.length - a.length);
  const commands = new RegExp(`\`?npx cutover (${longest.join('|')})(?![\\w-])([^\`\\n;,.()]*)\`?`, 'g');
  return (text) =>
    text
      .replace(commands, (_, command: string, rest: string) => `the tool ${byCommand.get(command)}${argumentsOf(rest)}`)
      .replace(/(?<![\w-])--([a-z][a-z-]*[a-z])(?![\w-])/g, (flag, option: string) =>
        KEPT.has(option) ? flag : `\`${option.replaceAll('-', '_')}\``,
      )
      .replace(/(?<![\w-])-o(?![\w-])/g, '`path`');
}

/** Of the command that starts the server. */
const KEPT: ReadonlySet<string> = new Set(['root']);

const argumentsOf = (rest: string): string => (rest.trim() === '' ? '' : ` (${rest.trim()})`);
