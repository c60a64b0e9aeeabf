import { FileManagementError, FileNotFoundError, UploadError, ValidationError } from '../domain/errors.ts';

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** What the file system's refusal means for a person who wants that file moved. */
export function fileError(error: unknown, path: string): FileManagementError {
  if (error instanceof FileManagementError) return error;
  const cause = error;
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return path.includes('\uFFFD')
        ? new ValidationError(`The name of ${path} is not UTF-8: rename it`, { code: 'name_not_utf8', cause })
        : new FileNotFoundError(`${path} is not there (any more)`, { code: 'file_vanished', cause });
    case 'EACCES':
    case 'EPERM':
      return new ValidationError(`${path} cannot be read: permission denied. Let the user that runs the worker read it`, {
        code: 'file_unreadable',
        cause,
      });
    case 'EISDIR':
      return new ValidationError(`${path} is a folder, not a file`, { code: 'is_a_folder', cause });
    case 'ELOOP':
      return new ValidationError(`${path} is a link that leads nowhere`, { code: 'broken_link', cause });
    case 'ENAMETOOLONG':
      return new ValidationError(`The name of ${path} is too long for this file system`, { code: 'name_too_long', cause });
    case 'EMFILE':
    case 'ENFILE':
      return new UploadError(`Too many open files while reading ${path}`, { code: 'too_many_open_files', retryable: true, cause });
    default:
      return new UploadError(`${path} could not be read: ${code ?? error}`, {
        code: 'read_failed',
        retryable: code === 'EIO' || code === 'ESTALE',
        cause,
      });
  }
}
