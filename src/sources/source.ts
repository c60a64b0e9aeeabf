import type { SourceItem } from '../domain/migration-item.ts';

export interface SourcePage {
  items: SourceItem[];
  /** Hand this in to get the next page; null after the last. */
  next: string | null;
}

/** Where a migration's files come from. Listing is stateless: any worker can go on from a cursor. */
export interface Source {
  /** Throws a ValidationError that says what is wrong with the source and what to do. */
  check(): Promise<void>;
  page(cursor: string | null, limit: number): Promise<SourcePage>;
}
