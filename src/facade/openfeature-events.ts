import type { AnyProviderEvent, EventHandler, Logger, Provider } from '@openfeature/server-sdk';

type Events = NonNullable<Provider['events']>;

/** The SDK's emitter of events, without the SDK: it is there for those who have it, and the package works without. */
export function createProviderEvents(): Events {
  const handlers = new Map<AnyProviderEvent, EventHandler[]>();
  const of = (event: AnyProviderEvent) => handlers.get(event) ?? [];
  let logger: Logger | undefined;
  const events: Events = {
    // One handler's error keeps the others from nothing.
    emit(event, details) {
      for (const handler of of(event))
        void (async () => await handler(details as Parameters<EventHandler>[0]))().catch((error: unknown) =>
          logger?.error('A handler of', event, 'failed:', error),
        );
    },
    addHandler: (event, handler) => void handlers.set(event, [...of(event), handler]),
    removeHandler: (event, handler) => {
      const at = of(event).lastIndexOf(handler);
      if (at >= 0) handlers.set(event, of(event).toSpliced(at, 1));
    },
    removeAllHandlers: (event) => (event === undefined ? handlers.clear() : void handlers.delete(event)),
    getHandlers: (event) => [...of(event)],
    setLogger(given) {
      logger = given;
      return events;
    },
  };
  return events;
}
