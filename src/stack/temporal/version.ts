/** The Temporal CLI that is installed: server 1.29.1, UI 2.42.1. Later tags cannot be installed with `go install`. */
export const TEMPORAL_VERSION = '1.5.1';
