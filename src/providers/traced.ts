import type { Tracing } from '../domain/tracing.ts';
import type { Provider } from './provider.ts';

/** A provider each of whose calls is a span, within a trace: what was waited for there, and what it ended with. A download ends with its head. */
export function traced(provider: Provider, tracing: Tracing): Provider {
  const { name } = provider;
  const call = <T>(operation: string, work: () => Promise<T>, attributes: Record<string, number> = {}): Promise<T> =>
    tracing.span(`${operation} at ${name}`, { kind: 'client', attributes: { 'cutover.provider': name, ...attributes } }, work);
  return {
    ...provider,
    check: (signal) => call('check', () => provider.check(signal)),
    upload: (request) => call('upload', () => provider.upload(request), { 'cutover.size_bytes': request.body.sizeBytes }),
    download: (id, options) => call('download', () => provider.download(id, options)),
    info: (id, signal) => call('info', () => provider.info(id, signal)),
    find: (identity, signal) => call('find', () => provider.find(identity, signal)),
    delete: (id, signal) => call('delete', () => provider.delete(id, signal)),
  };
}
