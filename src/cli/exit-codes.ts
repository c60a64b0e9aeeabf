/** What the command line answers to the shell. The README documents them. */
export const EXIT = {
  ok: 0,
  /** The work was done, but something in it failed. */
  failed: 1,
  /** Wrong usage or input: repeating the same command cannot help. */
  usage: 2,
  /** Temporal or Supabase could not be reached, or refused us. */
  unavailable: 3,
  /** Ctrl-C: detached; what was started goes on. */
  interrupted: 130,
} as const;
