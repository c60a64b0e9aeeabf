import { FileManagementError, ProviderUnavailableError, ValidationError } from '../domain/errors.ts';
import { type Candidate, type Considered, type InlineLimits, inlineRefusal, type Route, rankProviders } from '../domain/handling.ts';
import type { FileOperationResult, PathSource } from '../domain/models.ts';
import { decodeText, type TextEncoding } from '../domain/text-encoding.ts';
import { readFileChunks } from '../sources/local-file.ts';

/** A text that need not be uploaded. */
export interface GivenInline {
  action: 'inline';
  text: string;
  encoding: TextEncoding;
  reason: string;
}

export interface UploadedToBest {
  action: 'upload';
  provider: string;
  purpose: string;
  reason: string;
  result: FileOperationResult;
  considered: Considered[];
}

export interface HandleOptions {
  /** What the file is for: a use, or a provider's own purpose. */
  use: string;
  /** What it is called; its extension decides which provider takes it. Absent: as its path. */
  name?: string;
  signal: AbortSignal;
}

export interface SmartHandlerDependencies {
  /** Where files can go, as it looks now. */
  candidates: (signal: AbortSignal) => Promise<Candidate[]>;
  /** Throws where the provider cannot take files now. */
  check: (provider: string, signal: AbortSignal) => Promise<void>;
  /** A whole upload. `mayFail`: there is another place, so that an outage is not to be waited out. */
  upload: (source: PathSource, to: Route, mayFail: boolean) => Promise<FileOperationResult>;
  /** A text up to this size is given inline. */
  inline: InlineLimits;
  /** The only providers to take, the best first; null: all. */
  preferred: readonly string[] | null;
}

/** The account is full or has no money: another provider's is not. */
const FULL: ReadonlySet<string> = new Set(['quota_exceeded', 'insufficient_storage', 'insufficient_balance']);

/** The fault is the provider's own, not the file's, and another may have none. */
const isDown = (error: unknown): error is FileManagementError =>
  error instanceof ProviderUnavailableError ||
  (error instanceof FileManagementError && error.provider !== undefined && (error.retryable || FULL.has(error.code)));

/** Gives a small text inline; uploads everything else by `uploadToBest`. The answer always says why. */
export async function handleFile(
  file: PathSource,
  options: HandleOptions,
  dependencies: SmartHandlerDependencies,
): Promise<GivenInline | UploadedToBest> {
  const { use, signal } = options;
  const { inline: limits } = dependencies;
  const inline = await asText(file, use, limits, signal);
  if (inline.text !== null) {
    const reason = `it is a text (${inline.encoding}) of ${file.sizeBytes} bytes, and up to ${limits.maxBytes} are given inline for ${use}`;
    return { action: 'inline', ...inline, reason };
  }
  const uploaded = await uploadToBest(file, options, dependencies);
  return { ...uploaded, reason: `${uploaded.reason}; not inline: ${inline.why}` };
}

/**
 * Uploads to the provider that suits a file best; where that one is down or full, to the next.
 * @throws ValidationError `no_provider_fits`, with the reason of each; the last provider's error where all that fit are down
 */
export async function uploadToBest(
  file: PathSource,
  { use, name = file.path, signal }: HandleOptions,
  { candidates, check, upload, preferred }: Omit<SmartHandlerDependencies, 'inline'>,
): Promise<UploadedToBest> {
  const { routes, refused } = rankProviders({ name, sizeBytes: file.sizeBytes }, use, await candidates(signal), preferred);
  const down: Considered[] = [];
  let last: FileManagementError | null = null;
  for (const [index, route] of routes.entries()) {
    try {
      await check(route.provider, signal);
      const result = await upload(file, route, index < routes.length - 1);
      const later = routes.slice(index + 1).map((one) => ({ ...one, taken: false, why: `${one.why}; another came first` }));
      const { provider, purpose, why } = route;
      const considered = [...down, { provider, purpose, taken: true, why }, ...later, ...refused];
      return { action: 'upload', provider, purpose, reason: reasonOf(route, down), result, considered };
    } catch (error) {
      signal.throwIfAborted();
      if (!isDown(error)) throw error;
      last = error;
      down.push({ provider: route.provider, purpose: route.purpose, taken: false, why: error.message });
    }
  }
  throw last ?? noneFits(name, use, refused);
}

async function asText(
  file: PathSource,
  use: string,
  limits: InlineLimits,
  signal: AbortSignal,
): Promise<{ text: string; encoding: TextEncoding } | { text: null; why: string }> {
  const refusal = inlineRefusal(use, file.sizeBytes, limits);
  if (refusal !== null) return { text: null, why: refusal };
  const chunks: Uint8Array[] = [];
  for await (const chunk of readFileChunks(file.path, file.sizeBytes, 0, signal)) chunks.push(Buffer.from(chunk));
  return decodeText(Buffer.concat(chunks));
}

function reasonOf({ provider, why }: Route, down: readonly Considered[]): string {
  const before = down.length === 0 ? '' : `, after ${down.map((one) => `${one.provider} could not take it (${one.why})`).join(', ')}`;
  return `${provider}: ${why}${before}`;
}

function noneFits(name: string, use: string, refused: readonly Considered[]): ValidationError {
  const reasons = refused.map(({ provider, why }) => `\n  ${provider}: ${why}`).join('');
  return new ValidationError(
    `No provider takes ${name} for ${use}${reasons === '' ? ': none is configured. See: npx cutover providers' : `:${reasons}`}`,
    { code: 'no_provider_fits' },
  );
}
