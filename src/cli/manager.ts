import { createFileManager, type FileManager } from '../manager/file-manager.ts';
import type { CommandContext } from './context.ts';

/** The manager that commands work with. Temporal is connected when something is uploaded. */
export async function managerOf(context: Pick<CommandContext, 'services' | 'config'>): Promise<FileManager> {
  const services = context.services();
  return createFileManager({
    ...(await services.stores()),
    uploads: () => services.client(),
    smartHandler: context.config().providers.smartHandler,
  });
}
