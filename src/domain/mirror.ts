import { type FileManagementError, FileNotFoundError, ValidationError } from './errors.ts';

/** Making the side that does not count agree about one file: when it is tried again, when it is given up, how it is told. */

export interface MirrorState {
  /** Whether the other side is to have the file. */
  wanted: 'present' | 'absent';
  /** `waiting`: something went wrong, and it is tried again at `nextAttemptMs`. */
  phase: 'working' | 'waiting' | 'done' | 'given_up';
  /** Since it was last said what is wanted. */
  attempts: number;
  trouble: string | null;
  nextAttemptMs: number | null;
  updatedAtMs: number;
}

/** In ms. */
export interface RetryPlan {
  /** Before the second attempt; it doubles with each one. */
  firstMs: number;
  longestMs: number;
  giveUpAfterMs: number;
}

/** A deletion may be on its way that explains why there is nothing to read. */
const MISSING_ATTEMPTS = 3;

/** How long to wait before the next attempt; null: none can help, or it has gone on for too long. */
export function retryDelayMs(
  plan: RetryPlan,
  { attempts, begunAtMs }: { attempts: number; begunAtMs: number },
  error: FileManagementError,
  nowMs: number,
): number | null {
  if (error instanceof ValidationError) return null;
  if (error instanceof FileNotFoundError && attempts >= MISSING_ATTEMPTS) return null;
  const delay = Math.min(plan.longestMs, plan.firstMs * 2 ** Math.min(attempts - 1, 30));
  return nowMs + delay - begunAtMs > plan.giveUpAfterMs ? null : delay;
}

const OTHER = { legacy: 'unified', unified: 'legacy' } as const;

/** What the Temporal UI shows, in Markdown. @param answered whose id the application was given */
export function describeMirror(answered: 'legacy' | 'unified', { wanted, phase, attempts, trouble, nextAttemptMs }: MirrorState): string {
  const lines = [
    `**${phase.replace('_', ' ')}**: ${OTHER[answered]} is to ${wanted === 'present' ? 'have the file that' : 'lose what'} ${answered} ${wanted === 'present' ? 'answered with' : 'has deleted'}`,
    ...(trouble === null ? [] : [`after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${trouble}`]),
    ...(nextAttemptMs === null ? [] : [`next attempt: ${new Date(nextAttemptMs).toISOString()}`]),
  ];
  return lines.join('\n\n');
}
