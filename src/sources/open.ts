import { folderSource } from './folder.ts';
import { manifestSource } from './manifest.ts';
import type { Source } from './source.ts';

export function openSource(source: { kind: 'folder'; root: string } | { kind: 'manifest'; path: string }): Source {
  return source.kind === 'folder' ? folderSource(source.root) : manifestSource(source.path);
}
