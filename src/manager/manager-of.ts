import type { Config } from '../config/index.ts';
import { createFileManager, type FileManager } from './file-manager.ts';
import type { Stores } from './stores.ts';
import type { Uploads } from './uploader.ts';

/** The manager that commands and tools work with. Temporal is connected when something is uploaded. */
export async function managerOf(context: {
  services(): { stores(): Promise<Stores>; client(): Promise<Uploads> };
  config(): Pick<Config, 'providers'>;
}): Promise<FileManager> {
  const services = context.services();
  return createFileManager({
    ...(await services.stores()),
    uploads: () => services.client(),
    smartHandler: context.config().providers.smartHandler,
  });
}
