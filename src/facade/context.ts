import { randomUUID } from 'node:crypto';
import { ValidationError } from '../domain/errors.ts';
import { type ModelKind, modelKindOf } from '../domain/time-limits.ts';
import type { CallContext } from './file-service.ts';

/** For whom, and for what. */
export interface Caller {
  tool: string;
  userId?: string | null;
  purpose?: string;
  /** What kind of model the file is for, by which all time limits are multiplied; a standard one unless said. */
  model?: ModelKind | undefined;
  /**
   * The application's own id of the request, in logs and traces; a UUID is made where it is absent. Uploads may share one; of the same
   * bytes under the same name, they are one upload to the new path, tried again.
   */
  operationId?: string;
  signal?: AbortSignal;
}

/** Made in batches: the first one after a pause costs as much as a hundred more. */
const BATCH = 256;
const fresh: string[] = [];
function freshId(): string {
  if (fresh.length === 0) for (let made = 0; made < BATCH; made += 1) fresh.push(randomUUID());
  return fresh.pop() ?? randomUUID();
}

/** A caller's words, complete. The signal is made for whoever asks for it: it costs more than all the rest of a call. */
class CompleteContext implements CallContext {
  readonly tool: string;
  readonly userId: string | null;
  readonly purpose: string;
  readonly model: ModelKind | undefined;
  readonly operationId: string;
  #signal: AbortSignal | undefined;

  constructor({ tool, userId, purpose, model, operationId, signal }: Caller) {
    this.tool = tool;
    this.userId = userId ?? null;
    this.purpose = purpose ?? 'storage';
    this.model = model;
    this.operationId = operationId ?? freshId();
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }
}

/** @throws ValidationError for a tool of whose name nothing could be counted, because the ledger refuses it; `unknown_model` */
export function contextOf(caller: Caller): CallContext {
  const { length } = caller.tool;
  if (length === 0 || length > 100) throw new ValidationError('A tool has a name of 1 to 100 characters', { code: 'unknown_tool' });
  if (caller.model !== undefined) modelKindOf(caller.model);
  return new CompleteContext(caller);
}
