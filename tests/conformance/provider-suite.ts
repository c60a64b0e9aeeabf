import { describe } from 'vitest';
import type { Provider } from '../../src/providers/provider.ts';
import type { CallTimeouts } from '../../src/providers/watchdog.ts';
import type { RequestLine } from '../support/fault-proxy.ts';
import { describeContents } from './provider-contents-suite.ts';
import { describeFaults } from './provider-faults-suite.ts';
import { describeRefusals } from './provider-refusals-suite.ts';

export interface Connection {
  /** Instead of the vendor's own: a proxy in front of it. */
  url?: string;
  key?: 'right' | 'wrong';
  timeouts?: CallTimeouts;
  maxRetryAttempts?: number;
  maxFileBytes?: number;
  onSurplus?: (id: string) => void;
}

/** A vendor's server, and how to tell its requests apart. */
export interface VendorUnderTest {
  /** Where its server listens; null: it has none, and nothing can go wrong on the way. */
  url: string | null;
  connect(connection?: Connection): Provider;
  /** The request that makes an object. */
  isUpload(request: RequestLine): boolean;
  isDownload(request: RequestLine): boolean;
  /** A small call that `info` makes. */
  isInfo(request: RequestLine): boolean;
  /** A name that it takes; `file.bin` unless said. */
  fileName?: string;
  /** Bytes of the largest file that is tried; 100 MiB unless said. */
  largest?: number;
  /** An upload goes to one address of its own, so that a late one cannot make a second object. */
  oneAddressForEachUpload?: boolean;
  /** A file goes in one message, whose bytes are not seen to move: that they stop is found by the slowest rate alone, after a minute or so. */
  bytesUnseen?: boolean;
  close(): Promise<void>;
}

export type StartVendor = () => Promise<VendorUnderTest>;

/** What every provider promises, whatever the vendor can do. */
export function describeProvider(name: string, start: StartVendor): void {
  describe(name, () => {
    describeContents(start);
    describeRefusals(start);
    // In a block of its own: where there is no server to misbehave, it is skipped, and nothing else.
    describe('on a bad day', () => describeFaults(start));
  });
}
