import { UploadError } from '../domain/errors.ts';
import { isErrno } from '../sources/file-errors.ts';

/** What a refused write below `folder` means: a full disk is said plainly, because somebody must act; everything else is as it was. */
export function diskError(error: unknown, folder: string): unknown {
  if (!isErrno(error, 'ENOSPC', 'EDQUOT')) return error;
  return new UploadError(`There is no room left in ${folder} for an upload that is under way: free some, or use another disk`, {
    code: 'insufficient_storage',
    retryable: true,
    cause: error,
  });
}
