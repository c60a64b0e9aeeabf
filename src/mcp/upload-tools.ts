import { basename } from 'node:path';
import { z } from 'zod';
import { USES } from '../domain/capabilities.ts';
import { messageOf, ProviderUnavailableError } from '../domain/errors.ts';
import { formatBytes, printable } from '../domain/format.ts';
import { FileOperationResult, FileUploadMetadata, NewReference, Verification } from '../domain/models.ts';
import { managerOf } from '../manager/manager-of.ts';
import { pathSourceOf } from '../sources/path-source.ts';
import { bytesOfTokens } from './page.ts';
import { fileNamed, status } from './shapes.ts';
import { type Tool, tool } from './tool.ts';
import { waitFor, waitSeconds } from './waiting.ts';

/** For `to`: the smart handler chooses. */
const AUTO = 'auto';

const localPath = z.string().min(1).max(4096).describe('a file in the folders of this server');
const holder = {
  tool: NewReference.shape.tool.default('mcp').describe('the tool on whose behalf'),
  user: z.string().min(1).max(500).optional().describe('the user on whose behalf'),
};
const Considered = z.object({ provider: z.string(), purpose: z.string().nullable(), taken: z.boolean(), why: z.string() });

const comeBack = z.string().nullable().describe('where it goes on: how to come back to it');

/** Whatever sends a file to a provider: each upload is a durable workflow of its own. */
export const UPLOAD_TOOLS: readonly Tool[] = [
  tool({
    name: 'upload_file',
    command: 'upload',
    title: 'Upload a file',
    description:
      'Uploads a file of this machine in a durable workflow: it comes to its end also when this call is cancelled or times out; the same call again waits for it. Content that is there already is not sent again.',
    kind: 'adds',
    openWorld: true,
    input: z.strictObject({
      path: localPath,
      to: z.string().min(1).max(100).default('supabase').describe(`the provider, or ${AUTO}: the one that suits the file best`),
      purpose: FileUploadMetadata.shape.purpose.describe(`what it is for: ${USES.join(', ')}, or a purpose of the provider's own`),
      tag: FileUploadMetadata.shape.tags.describe('tags'),
      context: z.string().max(4000).optional().describe('anything worth remembering'),
      name: z.string().min(1).max(4096).optional().describe('its name in the ledger; default: its own'),
      verify: Verification.default('none').describe('check the stored copy: by the size and hash on record, or by reading it back'),
      ...holder,
      wait_seconds: waitSeconds,
    }),
    output: z.object({
      status,
      result: FileOperationResult.nullable(),
      workflowId: z.string(),
      url: z.string().nullable().describe('where people look at it'),
      reason: z.string().nullable().describe('why this provider was chosen, where it was not named'),
      considered: z.array(Considered).nullable(),
      comeBack,
    }),
    async run(input, call, { world, roots }) {
      const real = await roots.readable(input.path);
      const manager = await managerOf(world);
      const source = await pathSourceOf(real);
      const again = 'the same call of upload_file waits for it, and is told that the content is there when it has arrived';
      const run: { workflowId: string | null } = { workflowId: null };
      const reference = NewReference.parse({
        ...{ tool: input.tool, purpose: input.purpose, tags: input.tag, context: input.context ?? null, userId: input.user ?? null },
        name: input.name ?? basename(input.path),
      });
      const options = (signal: AbortSignal) => ({
        ...{ reference, signal, verify: input.verify, onDuplicate: world.config().files.onDuplicate },
        onStarted(started: { workflowId: string }) {
          run.workflowId = started.workflowId;
          call.started(`The upload runs as ${started.workflowId}: ${again}`);
        },
      });
      const ended = await waitFor(input.wait_seconds, call, `uploading ${printable(reference.name)}`, async (signal) => {
        if (input.to !== AUTO)
          return { result: await manager.upload(source, { ...options(signal), provider: input.to }), reason: null, considered: null };
        const { result, reason, considered } = await manager.uploadToBest(source, options(signal));
        return { result, reason, considered };
      });
      const { workflowId } = run;
      if (workflowId === null)
        throw new ProviderUnavailableError(`The upload of ${printable(input.path)} could not be started within ${input.wait_seconds} s`, {
          ...{ code: 'not_started', retryable: true },
        });
      const url = (await world.services().client()).workflowUrl(workflowId);
      if (ended === null)
        return {
          data: { status: 'running' as const, result: null, workflowId, url, reason: null, considered: null, comeBack: again },
          text: `The upload of ${printable(input.path)} goes on as ${workflowId}: ${again}.`,
        };
      const { outcome, fileId, sizeBytes, provider, providerFileId } = ended.result;
      return {
        data: { status: 'done' as const, ...ended, workflowId, url, comeBack: null },
        text: [
          `${printable(input.path)} (${formatBytes(sizeBytes)}): ${outcome === 'uploaded' ? 'uploaded' : 'there already'} at ${provider} as ${printable(providerFileId)}; its id is ${fileId}`,
          ...(ended.reason === null ? [] : [printable(ended.reason)]),
        ],
      };
    },
  }),

  tool({
    name: 'handle_files',
    command: null,
    title: 'Give files to a model',
    description:
      'For files that a model is to work with: a small text is answered inline, everything else is uploaded to the provider that suits it best. All files of a call together put at most MCP_MAX_PROMPT_BYTES of text into the answer; what is more is uploaded.',
    kind: 'adds',
    openWorld: true,
    input: z.strictObject({
      paths: z.array(localPath).min(1).max(50).describe('files in the folders of this server'),
      purpose: FileUploadMetadata.shape.purpose
        .default('extract')
        .describe(`what they are for: ${USES.join(', ')}; inline are extract and vision`),
      ...holder,
    }),
    output: z.object({
      files: z.array(
        z.object({
          path: z.string(),
          action: z.enum(['inline', 'upload', 'failed']),
          text: z.string().nullable().describe('where it is inline'),
          encoding: z.string().nullable(),
          result: FileOperationResult.nullable().describe('where it was uploaded'),
          reason: z.string().describe('why it was handled so, or what was wrong'),
        }),
      ),
    }),
    async run({ paths, purpose, tool: forTool, user }, call, { world, roots }) {
      const manager = await managerOf(world);
      const { mcp, files } = world.config();
      // The text is also the tool's answer, which has its own bound; a byte can become two in JSON.
      const ofAnswer = Math.floor(bytesOfTokens(mcp.maxOutputTokens) / 2);
      let left = Math.min(mcp.maxPromptBytes, ofAnswer);
      const setting = ofAnswer < mcp.maxPromptBytes ? 'MCP_MAX_OUTPUT_TOKENS' : 'MCP_MAX_PROMPT_BYTES';
      const handled: {
        path: string;
        action: 'inline' | 'upload' | 'failed';
        text: string | null;
        encoding: string | null;
        result: FileOperationResult | null;
        reason: string;
      }[] = [];
      for (const [at, path] of paths.entries()) {
        call.progress(`${at + 1} of ${paths.length}: ${path}`);
        try {
          const source = await pathSourceOf(await roots.readable(path));
          const reference = NewReference.parse({ tool: forTool, userId: user ?? null, purpose, name: basename(path) });
          const given = await manager.handle(source, {
            ...{ reference, signal: call.signal, onDuplicate: files.onDuplicate, prompt: { bytes: left, setting } },
            onStarted: ({ workflowId }) => call.started(`The upload of ${path} runs as ${workflowId}: the same call waits for it`),
          });
          const { reason } = given;
          if (given.action === 'upload') handled.push({ path, action: 'upload', text: null, encoding: null, result: given.result, reason });
          else {
            left -= Buffer.byteLength(given.text);
            handled.push({ path, action: 'inline', text: given.text, encoding: given.encoding, result: null, reason });
          }
        } catch (error) {
          if (call.signal.aborted || paths.length === 1) throw error;
          handled.push({ path, action: 'failed', text: null, encoding: null, result: null, reason: messageOf(error) });
        }
      }
      const inline = handled.filter(({ text }) => text !== null);
      const done = ({ action, result }: (typeof handled)[number]): string =>
        action === 'upload' ? `uploaded to ${result?.provider} as ${printable(result?.providerFileId ?? '')}` : 'failed';
      return {
        data: { files: handled },
        text: handled.map((file) => {
          const at = inline.indexOf(file);
          return `${printable(file.path)}: ${at < 0 ? done(file) : `its text is block ${at + 2} of this answer`} (${printable(file.reason)})`;
        }),
        verbatim: inline.map(({ text }) => text ?? ''),
      };
    },
  }),

  tool({
    name: 'ensure_file',
    command: 'ensure',
    title: 'Get an id that works now',
    description:
      'An id of a file at a provider that works now; where it has expired or gone, the file is uploaded again from a copy that is kept.',
    kind: 'adds',
    openWorld: true,
    input: z.strictObject({
      file: fileNamed,
      to: z.string().min(1).max(100).default('supabase').describe('the provider'),
      purpose: z.string().min(1).max(100).optional().describe('what it is for; default: what it was there for'),
      lasting: z
        .int()
        .min(0)
        .max(366 * 86_400)
        .optional()
        .describe('for how many seconds the id must last still; default: an hour'),
      wait_seconds: waitSeconds,
    }),
    output: z.object({
      status,
      ensured: z
        .object({
          outcome: z.enum(['there', 'uploaded_again', 'uploaded']),
          fileId: z.uuid(),
          provider: z.string(),
          providerFileId: z.string().describe('the id that works now'),
          purpose: z.string(),
          expiresAt: z.string().nullable(),
          replaced: z.string().nullable().describe('the id that does not do any more'),
        })
        .nullable(),
      comeBack,
    }),
    async run({ file, to, purpose, lasting, wait_seconds }, call, { world }) {
      const manager = await managerOf(world);
      const ensured = await waitFor(wait_seconds, call, `making sure of ${printable(file)} at ${to}`, (signal) =>
        manager.ensure(file, to, {
          signal,
          ...(purpose === undefined ? {} : { purpose }),
          ...(lasting === undefined ? {} : { marginMs: lasting * 1000 }),
        }),
      );
      const again = 'the same call of ensure_file waits for the upload';
      if (ensured === null)
        return { data: { status: 'running' as const, ensured, comeBack: again }, text: `It is not over yet: ${again}.` };
      return {
        data: { status: 'done' as const, ensured, comeBack: null },
        text: `${ensured.providerFileId} (${ensured.outcome.replace('_', ' ')} at ${to})`,
      };
    },
  }),
];
