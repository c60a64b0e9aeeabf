import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * A request's body as it comes. Leaving it early keeps the connection, so that a refusal can still be answered; a sender that is
 * silent for `idleMs` is cut off, and `onIdle` hears of it first.
 */
export async function* bodyOf(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { idleMs, onIdle }: { idleMs: number; onIdle: () => void },
): AsyncGenerator<Uint8Array> {
  // The server leaves that to us: what is refused by its headers is not even sent.
  if (/^100-continue$/i.test(incoming.headers.expect ?? '')) outgoing.writeContinue();
  const idle = setTimeout(() => {
    onIdle();
    incoming.destroy();
  }, idleMs);
  try {
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
      idle.refresh();
      yield chunk;
    }
  } finally {
    clearTimeout(idle);
  }
}

/** Chunks for a client, who is given up when one is not taken within `idleMs`. */
export async function* readBy(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { idleMs, onIdle }: { idleMs: number; onIdle: () => void },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const idle = setTimeout(onIdle, idleMs);
    try {
      yield chunk;
    } finally {
      clearTimeout(idle);
    }
  }
}
