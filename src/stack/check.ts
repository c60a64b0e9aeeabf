/** One thing that was looked at. `warning`: works, or is not needed yet. `todo` says how to mend it. */
export interface Check {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  found: string;
  todo: string | null;
}

export const ok = (name: string, found: string): Check => ({ name, status: 'ok', found, todo: null });
export const warning = (name: string, found: string, todo: string | null = null): Check => ({ name, status: 'warning', found, todo });
export const failed = (name: string, found: string, todo: string): Check => ({ name, status: 'failed', found, todo });
