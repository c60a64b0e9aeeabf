import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { printable } from '../domain/format.ts';

type Style = Parameters<typeof styleText>[0];

export interface OutputStream extends Writable {
  isTTY?: boolean;
  columns?: number;
}

export interface OutputOptions {
  stdout: OutputStream;
  stderr: OutputStream;
  /** Whether colours are wanted at all; they are used on a terminal only. */
  color: boolean;
}

/** Data goes to stdout and messages to stderr, so that a pipe gets data alone. */
export class Output {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly #color: boolean;

  constructor(options: OutputOptions) {
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.#color = options.color;
  }

  /** One line of data. Waits while the reader is slower than we are, so that a long list does not pile up in memory. */
  async data(line: string): Promise<void> {
    await this.write(`${line}\n`);
  }

  async json(value: unknown): Promise<void> {
    await this.data(JSON.stringify(value));
  }

  async write(chunk: string | Uint8Array): Promise<void> {
    if (!this.stdout.write(chunk)) await once(this.stdout, 'drain');
  }

  message(line: string): void {
    this.stderr.write(`${line}\n`);
  }

  warning(line: string): void {
    this.message(`${this.style('yellow', 'warning:')} ${line}`);
  }

  style(style: Style, text: string, stream: OutputStream = this.stderr): string {
    return this.#color && stream.isTTY === true ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Rows in columns, the last one ragged; names from outside are made printable. */
  async table(header: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
    const shown = [header, ...rows.map((row) => row.map(printable))];
    const widths = header.map((_, column) => Math.max(...shown.map((row) => row[column]?.length ?? 0)));
    for (const [index, row] of shown.entries()) {
      const line = row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
      await this.data(index === 0 ? this.style('bold', line, this.stdout) : line);
    }
  }
}
