import { ValidationError } from './errors.ts';
import { formatBytes } from './format.ts';

/**
 * What a caller wants of a file, in words that no vendor owns. `storage` is what is meant when nobody says: keep it.
 * `extract`: have its text read. `vision`: let a model look at it. `batch`: a list of requests. `code`: for a code interpreter.
 */
export const USES = ['storage', 'extract', 'vision', 'batch', 'code', 'voice', 'fine-tune', 'evals'] as const;
export type Use = (typeof USES)[number];

/** The rules of one purpose of a vendor. */
export interface PurposeLimits {
  /** Largest file in bytes. */
  maxFileBytes: number;
  /** In lower case, without the dot; null: any. */
  extensions: readonly string[] | null;
  /** Largest file in bytes for some extensions, where that is less. */
  maxFileBytesOf?: Readonly<Record<string, number>>;
  /** Files of this purpose in one account; null: no limit of its own. */
  maxFiles: number | null;
  /** Which uses it serves. */
  uses: readonly Use[];
  /** Whether the original bytes of such a file can be read back. */
  downloads: boolean;
}

/** What a provider can do, as data: what does not fit is refused before a byte is sent. */
export interface Capabilities {
  /** Largest file in bytes, whatever the purpose. */
  maxFileBytes: number;
  /** 1 where an empty file is refused. */
  minFileBytes: number;
  /** Whether the original bytes can be read back; where purposes differ in it, theirs count. */
  downloads: boolean;
  /** Whether part of an object can be read. */
  ranges: boolean;
  /** The vendor's own purposes, the preferred ones first; null: it has none, and any word will do. */
  purposes: Readonly<Record<string, PurposeLimits>> | null;
  /** What a provider without purposes of its own is good for; absent: anything. */
  uses?: readonly Use[];
  /** Whether a large transfer that broke is gone on with where it stopped; absent: it begins again from the first byte. */
  resumes?: boolean;
  /** Limits of one account; null: none is documented. */
  quota: { files: number | null; bytes: number | null } | null;
  /** After how long the vendor itself drops a file; null: it keeps it. */
  expiresAfterSeconds: number | null;
}

/** A storage: any purpose, any extension, all of it to be read back. */
export const storageCapabilities = (maxFileBytes: number): Capabilities => ({
  maxFileBytes,
  minFileBytes: 0,
  downloads: true,
  ranges: true,
  purposes: null,
  uses: ['storage'],
  resumes: true,
  quota: null,
  expiresAfterSeconds: null,
});

/** What is known of a file before it is sent. */
export interface FileFacts {
  /** Its extension decides: vendors go by it. */
  name: string;
  /** Null: not known yet. */
  sizeBytes: number | null;
}

/** In lower case, without the dot; empty where there is none. */
export const extensionOf = (name: string): string => /[^/\\]\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';

/**
 * The vendor's purpose for what a caller wants: its own word for one, or a use (`Use`), for which the first purpose is taken that
 * serves it and takes the file. Where none takes it, the first that takes its type, or that serves it at all, so that `refusalOf`
 * can say what is wrong.
 * @throws ValidationError `purpose_unknown`, listing those there are
 */
export function choosePurpose(provider: string, { purposes }: Capabilities, wanted: string, file: FileFacts): string {
  if (purposes === null || Object.hasOwn(purposes, wanted)) return wanted;
  const serving = Object.entries(purposes).filter(([, { uses }]) => (uses as readonly string[]).includes(wanted));
  const taking = (facts: FileFacts) => serving.find(([, limits]) => purposeRefusal(limits, facts) === null);
  const fitting = taking(file) ?? taking({ ...file, sizeBytes: null }) ?? serving[0];
  if (fitting !== undefined) return fitting[0];
  const uses = USES.filter((use) => Object.values(purposes).some((limits) => limits.uses.includes(use)));
  throw new ValidationError(
    `${provider} knows no purpose ${JSON.stringify(wanted)}; its own are ${Object.keys(purposes).join(', ')}; or say what it is for: ${uses.join(', ')}`,
    { code: 'purpose_unknown', provider },
  );
}

/**
 * Why a provider will not take a file, naming the limit that it passes; null where it will. `purpose` is one of the vendor's own.
 * Codes: `file_too_large`, `file_empty`, `extension_not_supported`.
 */
export function refusalOf(provider: string, capabilities: Capabilities, purpose: string, file: FileFacts): ValidationError | null {
  const { maxFileBytes, minFileBytes, purposes } = capabilities;
  const limits = purposes?.[purpose];
  const general = sizeRefusal(file.sizeBytes, minFileBytes, maxFileBytes);
  const refusal = general ?? (limits === undefined ? null : purposeRefusal(limits, file));
  if (refusal === null) return null;
  const place = general === null ? `${provider}, purpose ${purpose},` : provider;
  return new ValidationError(`${file.name}: ${place} ${refusal.why}`, { code: refusal.code, provider });
}

interface Refusal {
  code: string;
  why: string;
}

function purposeRefusal({ extensions, maxFileBytes, maxFileBytesOf }: PurposeLimits, { name, sizeBytes }: FileFacts): Refusal | null {
  const extension = extensionOf(name);
  if (extensions !== null && !extensions.includes(extension))
    return {
      code: 'extension_not_supported',
      why: `does not take ${extension === '' ? 'a name without an extension' : `.${extension}`}; it takes ${extensions.join(' ')}`,
    };
  return sizeRefusal(sizeBytes, 0, Math.min(maxFileBytes, maxFileBytesOf?.[extension] ?? maxFileBytes));
}

function sizeRefusal(sizeBytes: number | null, min: number, max: number): Refusal | null {
  if (sizeBytes === null) return null;
  if (sizeBytes > max)
    return { code: 'file_too_large', why: `takes at most ${max} bytes (${formatBytes(max)}) and the file has ${sizeBytes}` };
  return sizeBytes < min ? { code: 'file_empty', why: 'does not take an empty file' } : null;
}

/** Whether the original of a file uploaded for this purpose can be read back. */
export const givesBack = ({ downloads, purposes }: Capabilities, purpose: string | null): boolean =>
  purpose === null || purposes === null ? downloads : (purposes[purpose]?.downloads ?? downloads);
