/** Timeouts of a test that must see them pass, and that a busy machine does not pass by itself. */
export const SHORT = { callMs: 8000, idleMs: 2000, minBytesPerSecond: 65_536 };
export const LONG = { callMs: 30_000, idleMs: 30_000, minBytesPerSecond: 65_536 };
