/** Who leans on whom: what comes first is stopped first. */
export const STOP_ORDER = { build: 0, worker: 0, supabase: 1, postgres: 2, temporal: 3 } as const;
