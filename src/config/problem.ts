import { ValidationError } from '../domain/errors.ts';

export interface Problem {
  /** Null where it is about a whole file. */
  variable: string | null;
  /** As it was given, or null where it is missing or must not be shown. */
  value: string | null;
  /** What is allowed, as the rest of a sentence about the variable. */
  message: string;
  /** Where the value came from. */
  where: string | null;
}

/** One line for people: the variable, the value it had, what is allowed, where it was set. */
export function describeProblem({ variable, value, message, where }: Problem): string {
  const subject = variable === null ? '' : value === null ? `${variable} ` : `${variable} is ${JSON.stringify(value)} and `;
  return `${subject}${message}${where === null || value === null ? '' : ` (set in ${where})`}`;
}

/** All that is wrong with the configuration, at once. */
export class ConfigError extends ValidationError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.map(describeProblem);
    super(
      lines.length === 1
        ? `The configuration is wrong: ${lines[0]}`
        : `The configuration is wrong:\n${lines.map((line) => `  ${line}`).join('\n')}`,
      {
        code: 'invalid_configuration',
      },
    );
    this.problems = problems;
  }
}
