import { createHash } from 'node:crypto';
import { givesBack } from '../domain/capabilities.ts';
import { ValidationError } from '../domain/errors.ts';
import type { SourceItem } from '../domain/migration-item.ts';
import { withoutMarker } from '../providers/marked-name.ts';
import { namesByContent, type Provider, type StoredObject } from '../providers/provider.ts';
import { type Source, startPage } from './source.ts';

/** Where a listing goes on: in the provider's page behind `after`, behind the object `last`. */
interface Place {
  after: string | null;
  last: string | null;
}

/**
 * Every object of an account, or of a bucket or a folder in it (`under`). A page of the provider's that is too large for one of
 * ours is asked for again and gone on with behind the object that came last; where that one was deleted meanwhile, the page is
 * given again, because a file given twice is better than one passed over.
 */
export function providerSource(provider: Provider, under: string | null): Source {
  // A bucket alone is not the beginning of other buckets' names.
  const from = under !== null && namesByContent(provider) && !under.includes('/') ? `${under}/` : under;
  const prefix = from === null ? {} : { under: from };
  const shown = `provider:${provider.name}${under === null ? '' : `/${under}`}`;
  return {
    async check(signal = new AbortController().signal) {
      for await (const { objects } of provider.list({ ...prefix, signal })) if (objects.length > 0) return;
      throw new ValidationError(`${shown} holds no files: there is nothing to migrate. Check its name.`, { code: 'source_empty' });
    },
    async page(cursor, limit, signal = new AbortController().signal) {
      const page = startPage(limit);
      const place: Place = cursor === null ? { after: null, last: null } : JSON.parse(cursor);
      let { after, last } = place;
      for await (const { objects, next } of provider.list({ ...prefix, after, signal })) {
        const rest = objects.slice(objects.findIndex(({ id }) => id === last) + 1);
        for (const [index, object] of rest.entries()) {
          if (!page.add(itemOf(provider, object))) continue;
          if (index < rest.length - 1) return { items: page.items, next: placeOf({ after, last: object.id }) };
          return { items: page.items, next: next === null ? null : placeOf({ after: next, last: null }) };
        }
        after = next;
        last = null;
      }
      return { items: page.items, next: null };
    },
  };
}

const placeOf = (place: Place): string => JSON.stringify(place);

/** Ids of storages are paths; those of vendors say nothing to people, and names there are not unique: both are shown. */
function itemOf(provider: Provider, object: StoredObject): SourceItem {
  const { id, sizeBytes, mimeType, purpose } = object;
  const isPath = namesByContent(provider);
  const name = withoutMarker(object.name ?? '') || (id.split('/').at(-1) ?? id);
  return {
    path: isPath ? id : `${name} (${id})`,
    key: createHash('sha256').update(id).digest('hex').slice(0, 16),
    sizeBytes,
    source: { kind: 'object', provider: provider.name, id, sizeBytes, name, mimeType },
    ...((object.downloadable ?? givesBack(provider.capabilities, purpose)) ? {} : { givenBack: false }),
    ...(isPath ? {} : { reference: { name } }),
  };
}
