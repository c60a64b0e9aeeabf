import { FileNotFoundError, hasCode } from '../domain/errors.ts';

/** Does `work`, and once more when its bucket turned out to be missing and was created. */
export async function creatingMissing<T>(create: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasCode(error, 'bucket_not_found')) throw error;
    await create();
    return await work();
  }
}

/** Does something to a bucket that a person named: that there is none is their mistake, and none of the configuration. */
export async function withBucket<T>(provider: string, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasCode(error, 'bucket_not_found', 'not_found')) throw error;
    throw new FileNotFoundError(`There is no bucket ${JSON.stringify(name)} at ${provider}`, {
      code: 'bucket_not_found',
      provider,
      cause: error,
    });
  }
}
