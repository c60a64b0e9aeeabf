import type { z } from 'zod';
import type { Roots } from './roots.ts';
import type { World } from './world.ts';

/** What a tool acts on. */
export interface ToolContext {
  world: World;
  roots: Roots;
  /** Who is written down as the one who decided. */
  by: string;
  now: () => number;
}

/** One call of a tool. */
export interface Call {
  /** Aborted when the client cancels, or goes. Durable work that was started goes on. */
  signal: AbortSignal;
  /** Tells the client how far it is, where it asked for that. */
  progress(message: string): void;
  /** Durable work was started: how to come back to it. Told at once, because a cancelled call is not answered. */
  started(comeBack: string): void;
}

export interface Answer<O extends z.ZodObject> {
  data: z.input<O>;
  /** The same for people. */
  text: string | readonly string[];
  /** Texts that are not ours, each as it is in a block of its own behind that. */
  verbatim?: readonly string[];
}

/** What clients are told of what a tool does, as the protocol words it. */
export const KINDS = {
  /** Looks, and changes nothing. */
  reads: { readOnlyHint: true, destructiveHint: false, idempotentHint: true },
  /** Only adds; the same call again changes nothing more. */
  adds: { readOnlyHint: false, destructiveHint: false, idempotentHint: true },
  /** Changes something in a way that can be taken back; the same call again changes nothing more. */
  sets: { readOnlyHint: false, destructiveHint: false, idempotentHint: true },
  /** Begins something: the same call again begins another. */
  begins: { readOnlyHint: false, destructiveHint: false, idempotentHint: false },
  /** Takes something away, or from users. */
  destroys: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
} as const;

export interface ToolDefinition<I extends z.ZodObject, O extends z.ZodObject> {
  /** In snake case, the verb first. */
  name: string;
  /** The command that does the same: `rollout start`; null where there is none. */
  command: string | null;
  title: string;
  description: string;
  kind: keyof typeof KINDS;
  /** Whether it goes beyond the ledger and Temporal, to a provider. */
  openWorld?: boolean;
  input: I;
  output: O;
  run(input: z.output<I>, call: Call, context: ToolContext): Promise<Answer<O>>;
}

/** Any tool, its input not known to the compiler. */
export interface Tool extends Omit<ToolDefinition<z.ZodObject, z.ZodObject>, 'run'> {
  run(
    input: unknown,
    call: Call,
    context: ToolContext,
  ): Promise<{ data: unknown; text: string | readonly string[]; verbatim?: readonly string[] }>;
}

/** Binds what a tool takes and answers to its schemas. */
export const tool = <I extends z.ZodObject, O extends z.ZodObject>({ run, ...rest }: ToolDefinition<I, O>): Tool => ({
  ...rest,
  run: (input, call, context) => run(input as z.output<I>, call, context),
});
