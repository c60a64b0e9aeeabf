import type { ObjectIdentity, Provider } from '../providers/provider.ts';

/**
 * The object that an upload may have left before it was on record: its answer was lost, or it broke off. A storage's id follows from the
 * content, so that also a half-written object is found; null where there is none.
 * @param isOthers whether a copy that is alive stands on the object
 */
export async function leftBehind(
  identity: ObjectIdentity,
  at: Pick<Provider, 'idOf' | 'find'>,
  signal: AbortSignal,
  isOthers: (id: string) => Promise<boolean> = async () => false,
): Promise<string | null> {
  const known = at.idOf(identity.sha256, identity.namespace);
  if (known !== null) return (await isOthers(known)) ? null : known;
  return (await at.find(identity, signal))?.id ?? null;
}
