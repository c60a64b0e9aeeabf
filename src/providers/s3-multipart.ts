import { createHash } from 'node:crypto';
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type Part,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { z } from 'zod';
import { FileManagementError, hasCode } from '../domain/errors.ts';
import { type BodyReader, readBody } from './body-reader.ts';
import { counted } from './progress.ts';
import type { UploadBody, UploadRequest } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { S3 } from './s3-client.ts';
import { checksumOf } from './s3-object.ts';
import { removeUpload, uploadsIn } from './s3-uploads.ts';
import { type CallTimeouts, callLimits, transferLimits } from './watchdog.ts';
import { wireType } from './wire-type.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MAX_PARTS = 10_000;
const MIB = 1024 * 1024;
/** Parts up to this size are held in memory while they are sent, in at most so many uploads of this process at once. */
const BUFFERED_PART_BYTES = 16 * MIB;
const BUFFERS = 2;
const SLICE_BYTES = 256 * 1024;
/** A caller who stops does not wait longer than this for the parts to be removed. */
const ABORT_MS = 700;

/** Where an upload goes on after the death of a worker. The content is named, so that no other one is added to it. */
const Checkpoint = z.object({ uploadId: z.string().min(1), key: z.string(), sha256: z.string(), partBytes: z.number().int().positive() });
type Checkpoint = z.infer<typeof Checkpoint>;

export interface MultipartTask {
  bucket: string;
  key: string;
  request: UploadRequest;
  onProgress: (bytes: number) => void;
  /** Whether the object is there whole: the upload is not known any more once it was completed. */
  isThere: () => Promise<boolean>;
}

export interface MultipartOptions {
  s3: S3;
  timeouts: CallTimeouts;
  /** Wanted; larger where 10,000 of them would not do. */
  partBytes: number;
  retry: RetryPolicy;
  retryTransfer: (sizeBytes: number) => RetryPolicy;
}

/** So many bytes are in each part but the last. */
export const partSize = (sizeBytes: number, wanted: number): number => Math.max(wanted, Math.ceil(sizeBytes / MAX_PARTS / MIB) * MIB);

/**
 * Uploads in parts. What a part must be is signed and checked by the server, so each is hashed before it is sent: from memory, or,
 * where it is too large or too many are under way, by reading it twice.
 */
export function createMultipart({ s3, timeouts, partBytes: wanted, retry, retryTransfer }: MultipartOptions) {
  let buffers = BUFFERS;
  const limits = callLimits(timeouts);

  async function begin({ bucket, key, request }: MultipartTask): Promise<Checkpoint> {
    const { signal, sha256, body } = request;
    let attempts = 0;
    const { UploadId: uploadId } = await withRetries(retry, signal, () => {
      attempts += 1;
      const command = new CreateMultipartUploadCommand({
        Bucket: bucket,
        Key: key,
        ContentType: wireType(request.mimeType),
        ChecksumAlgorithm: 'SHA256',
      });
      return s3.send(command, { operation: 'upload', signal, limits });
    });
    if (uploadId === undefined)
      throw s3.failure('upload', {
        kind: 'refused',
        code: 'unexpected_answer',
        retryable: false,
        detail: 'it began an upload without an id',
      });
    const begun = { uploadId, key, sha256, partBytes: partSize(body.sizeBytes, wanted) };
    request.onCheckpoint?.(begun);
    if (attempts > 1) await removeOthers(bucket, begun, signal);
    return begun;
  }

  /** What earlier attempts at the same key left: only one of them is alive at a time, because the ledger gives one claim. */
  async function removeOthers(bucket: string, { key, uploadId }: Checkpoint, signal: AbortSignal): Promise<void> {
    try {
      for await (const upload of uploadsIn({ s3, bucket, prefix: key, signal, limits, retry }))
        if (upload.key === key && upload.uploadId !== uploadId)
          await removeUpload(s3, bucket, upload, { operation: 'upload', signal, limits });
    } catch (error) {
      // Not every key may list uploads, and not every storage can. What is left over costs money, and no file.
      if (!hasCode(error, 'unauthorized', 'not_supported')) throw error;
    }
  }
  async function partsAt(bucket: string, { key, uploadId }: Checkpoint, signal: AbortSignal): Promise<Map<number, Part>> {
    const parts = new Map<number, Part>();
    for (let marker: string | undefined, more = true; more; ) {
      const command: ListPartsCommand = new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: uploadId, PartNumberMarker: marker });
      const page: ListPartsCommandOutput = await withRetries(retry, signal, () =>
        s3.send(command, { operation: 'upload', signal, limits }),
      );
      for (const part of page.Parts ?? []) parts.set(part.PartNumber ?? 0, part);
      more = page.IsTruncated === true && page.NextPartNumberMarker !== undefined && page.NextPartNumberMarker !== marker;
      marker = page.NextPartNumberMarker;
    }
    return parts;
  }

  /** Reads the whole body, and sends the parts of it that the server has not. */
  async function fill(
    { bucket, request, onProgress }: MultipartTask,
    upload: Checkpoint,
    there: ReadonlyMap<number, Part>,
  ): Promise<CompletedPart[]> {
    const { body, sha256, signal } = request;
    const { partBytes } = upload;
    const buffered = partBytes <= BUFFERED_PART_BYTES && buffers > 0;
    if (buffered) buffers -= 1;
    const buffer = buffered ? Buffer.allocUnsafeSlow(Math.min(partBytes, body.sizeBytes)) : null;
    const reader = readBody(body, sha256, signal);
    const parts: CompletedPart[] = [];
    try {
      for (let first = 0; first < body.sizeBytes; first += partBytes) {
        const length = Math.min(partBytes, body.sizeBytes - first);
        const part = { number: parts.length + 1, first, length, sha256: await readPart(reader, length, buffer) };
        const had = there.get(part.number);
        const bytes = () => (buffer === null ? readAgain(body, part, signal) : slices(buffer.subarray(0, length)));
        const taken = isSame(had, part) ? had : await send(bucket, upload, part, () => counted(bytes(), first, onProgress), signal);
        parts.push({ PartNumber: part.number, ETag: taken?.ETag, ChecksumSHA256: taken?.ChecksumSHA256 });
        onProgress(first + length);
      }
      return parts;
    } finally {
      reader.close();
      if (buffered) buffers += 1;
    }
  }
  async function send(
    bucket: string,
    { key, uploadId }: Checkpoint,
    part: SentPart,
    bytes: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ) {
    return await withRetries(retryTransfer(part.length), signal, () =>
      s3.send(
        new UploadPartCommand({
          Bucket: bucket,
          Key: key,
          UploadId: uploadId,
          PartNumber: part.number,
          ContentLength: part.length,
          ChecksumSHA256: checksumOf(part.sha256),
        }),
        { operation: 'upload', signal, limits: transferLimits(timeouts, part.length), body: bytes(), sha256: part.sha256 },
      ),
    );
  }

  async function complete(
    { bucket, request, isThere }: MultipartTask,
    { key, uploadId }: Checkpoint,
    parts: CompletedPart[],
  ): Promise<void> {
    const { signal, body } = request;
    const command = () =>
      new CompleteMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId, MultipartUpload: { Parts: parts } });
    try {
      // Amazon takes minutes for large ones, and sends blanks meanwhile.
      const call = { operation: 'upload' as const, signal, limits: transferLimits(timeouts, body.sizeBytes) };
      await withRetries(retryTransfer(body.sizeBytes), signal, () => s3.send(command(), call));
    } catch (error) {
      if (!hasCode(error, 'not_found') || !(await isThere())) throw error;
    }
  }

  /** Goes on from the checkpoint where the server still knows it. */
  return async function upload(task: MultipartTask): Promise<void> {
    const { bucket, key, request } = task;
    const { signal, sha256, body } = request;
    const left = Checkpoint.safeParse(request.checkpoint).data;
    let checkpoint = left?.key === key && left.sha256 === sha256 ? left : null;
    await withRetries({ ...retryTransfer(body.sizeBytes), only: 'upload_expired' }, signal, async () => {
      const known = checkpoint;
      checkpoint = null;
      const under = known ?? (await begin(task));
      try {
        const there = known === null ? new Map<number, Part>() : await partsAt(bucket, known, signal);
        if (request.retried) await removeOthers(bucket, under, signal);
        await complete(task, under, await fill(task, under, there));
      } catch (error) {
        // The source may miss something, too: that is its own error.
        if (hasCode(error, 'not_found') && error.provider === 's3') {
          const detail = 'the upload in parts is not known (any more)';
          throw s3.failure('upload', { kind: 'broken', code: 'upload_expired', retryable: true, detail });
        }
        const later = request.onCheckpoint !== undefined && (signal.aborted || (error instanceof FileManagementError && error.retryable));
        // Its own signal: the caller's may be the reason.
        const stop = { idleMs: ABORT_MS, totalMs: ABORT_MS };
        const call = { operation: 'upload' as const, signal: new AbortController().signal, limits: signal.aborted ? stop : limits };
        if (!later) await removeUpload(s3, bucket, under, call).catch(() => {});
        throw error;
      }
    });
  };
}

interface SentPart {
  number: number;
  first: number;
  length: number;
  /** Lower-case hex. */
  sha256: string;
}

/** Whether the server has this part already, as far as it tells. */
const isSame = (had: Part | undefined, { length, sha256 }: SentPart): had is Part =>
  had?.Size === length && (had.ChecksumSHA256 ?? checksumOf(sha256)) === checksumOf(sha256);

/** Reads the next part, into the buffer where there is one. @returns its SHA-256 in lower-case hex */
async function readPart(reader: BodyReader, length: number, buffer: Buffer | null): Promise<string> {
  const hash = createHash('sha256');
  let filled = 0;
  for await (const chunk of reader.read(length)) {
    hash.update(chunk);
    buffer?.set(chunk, filled);
    filled += chunk.byteLength;
  }
  return hash.digest('hex');
}

/** Breaks off where the part is not what it was when it was hashed. */
async function* readAgain(body: UploadBody, { first, length, sha256 }: SentPart, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = readBody(partOf(body, first, length), sha256, signal);
  try {
    yield* reader.read(length);
  } finally {
    reader.close();
  }
}

/** A part as a body of its own. */
const partOf = (body: UploadBody, first: number, sizeBytes: number): UploadBody => ({
  sizeBytes,
  async *open(offset, signal) {
    let left = sizeBytes - offset;
    if (left === 0) return;
    for await (const chunk of body.open(first + offset, signal)) {
      yield chunk.subarray(0, left);
      left -= chunk.byteLength;
      if (left <= 0) return;
    }
  },
});

async function* slices(buffer: Buffer): AsyncGenerator<Buffer> {
  for (let first = 0; first < buffer.length; first += SLICE_BYTES) yield buffer.subarray(first, first + SLICE_BYTES);
}
