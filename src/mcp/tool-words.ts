/** A tool and the command that does the same. */
export interface Named {
  name: string;
  /** `rollout start`; null where there is none. */
  command: string | null;
}

/** Advice that was written for people at a terminal, in the words of those who have tools. */
export interface ToolWords {
  /** `npx cutover list` becomes the tool `list_files`. Commands that have no tool stay: a person has to run them. */
  commands(text: string): string;
  /** That, and `--force` becomes the argument `force`: for errors, whose advice names options. */
  advice(text: string): string;
}

export function createToolWords(tools: readonly Named[]): ToolWords {
  const byCommand = new Map(tools.flatMap(({ name, command }) => (command === null ? [] : [[command, name] as const])));
  const longest = [...byCommand.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`\`?npx cutover (${longest.join('|')})(?![\\w-])([^\`\\n;,.()]*)\`?`, 'g');
  const commands = (text: string): string =>
    text.replace(pattern, (_, command: string, rest: string) => `the tool ${byCommand.get(command)}${argumentsOf(rest)}`);
  const advice = (text: string): string =>
    commands(text)
      .replace(/(?<![\w-])--([a-z][a-z-]*[a-z])(?![\w-])/g, (flag, option: string) =>
        KEPT.has(option) ? flag : `\`${option.replaceAll('-', '_')}\``,
      )
      .replace(/(?<![\w-])-o(?![\w-])/g, '`path`');
  return { commands, advice };
}

/** Of the command that starts the server. */
const KEPT: ReadonlySet<string> = new Set(['root']);

const argumentsOf = (rest: string): string => (rest.trim() === '' ? '' : ` (${rest.trim()})`);
