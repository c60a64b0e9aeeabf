import { type Capabilities, choosePurpose, type FileFacts, givesBack, refusalOf } from '../domain/capabilities.ts';
import { ValidationError } from '../domain/errors.ts';
import type { Verification } from '../domain/models.ts';
import { notReadBack } from '../domain/read-back.ts';

export interface Limits {
  maxFileBytes: number;
  /** Without the dot, in lower case; null allows all. */
  allowedExtensions: readonly string[] | null;
}

/** Where a file is to go, and what for. */
export interface Destination {
  provider: string;
  /** What it is called: its extension decides what the provider takes. See `fileNameOf`. */
  name: string;
  /** The caller's word for it. */
  purpose: string;
  /** `download`: refused where the provider gives nothing back. */
  verify: Verification;
}

/** @throws ValidationError `extension_not_allowed` */
export function checkExtension(name: string, { allowedExtensions }: Limits, shown = name): void {
  if (allowedExtensions === null) return;
  const extension = /\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  if (allowedExtensions.includes(extension)) return;
  throw new ValidationError(
    `${shown}: the extension ${extension === '' ? '(none)' : `.${extension}`} is not allowed (ALLOWED_EXTENSIONS)`,
    {
      code: 'extension_not_allowed',
    },
  );
}

/** @throws ValidationError of our limits, and of the provider's for this purpose */
export function checkFit(
  path: string,
  sizeBytes: number,
  limits: Limits,
  to: Omit<Destination, 'verify'>,
  capabilities: Capabilities,
): void {
  if (sizeBytes > limits.maxFileBytes)
    throw new ValidationError(`${path} has ${sizeBytes} bytes; at most ${limits.maxFileBytes} are allowed (MAX_FILE_SIZE_MB)`, {
      code: 'file_too_large',
    });
  const file = { name: to.name, sizeBytes };
  const refusal = refusalOf(to.provider, capabilities, choosePurpose(to.provider, capabilities, to.purpose, file), file);
  if (refusal !== null) throw refusal;
}

/** @throws ValidationError `not_downloadable` */
export function checkReadBack(provider: string, capabilities: Capabilities, purpose: string, file: FileFacts): void {
  if (!givesBack(capabilities, choosePurpose(provider, capabilities, purpose, file))) throw notReadBack(provider);
}
