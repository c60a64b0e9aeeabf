import { z } from 'zod';
import { WireError, WireFile, WireHealth, WirePage, WireReadiness, WireUploaded } from './answers.ts';
import { QUERY } from './requests.ts';

/** The API in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html), made from the schemas that requests and answers are read by. */

type Json = Record<string, unknown>;

function schemaOf(schema: z.ZodType): Json {
  const { $schema: _, ...own } = z.toJSONSchema(schema, { io: 'input' });
  return own;
}

const json = (name: string): Json => ({ 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } });
const answer = (description: string, name?: string): Json => ({ description, ...(name === undefined ? {} : { content: json(name) }) });

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The query is wrong: an unknown tool (the message lists those there are), a missing name',
  401: 'The token is missing or wrong',
  404: 'There is no such file',
  408: 'No byte came for TRANSFER_IDLE_TIMEOUT_SECONDS',
  411: 'There is no body: neither content-length nor transfer-encoding is set',
  413: 'The file is larger than MAX_FILE_SIZE_MB; said before the body is sent where content-length tells',
  415: 'The body is not the file itself (a form, compressed), or its type or extension is not taken',
  422: 'The side that was asked can never take this',
  429: 'The side that was asked is asked too often: wait as long as Retry-After says',
  502: 'What is behind the server must be mended first',
  503: 'What is behind the server is away, or the server is stopping: later can be different',
  507: 'There is no room left',
};
const refusals = (...statuses: number[]): Json =>
  Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
const EVERYWHERE = [400, 401, 429, 502, 503];

const parameters = (...names: string[]): Json[] => names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
const ASKER = ['tool', 'user', 'model', 'operation_id'];
const OPEN = { security: [] };
const BYTES = { schema: { type: 'string', format: 'binary' } };

export function openApi(version: string): Json {
  const query = (name: string, schema: Json, required: boolean): Json => ({
    ...{ name, in: 'query', required, schema },
    ...(schema.description === undefined ? {} : { description: schema.description }),
  });
  return {
    openapi: '3.1.1',
    info: {
      title: 'Cutover',
      version,
      description:
        'Uploads for an application in any language, by the side that its rollout names. The same contract is kept by old upload paths behind LEGACY_URL.',
    },
    security: [{ token: [] }],
    paths: {
      '/files': {
        post: {
          operationId: 'upload',
          summary: 'Uploads the body',
          parameters: parameters('name', 'purpose', ...ASKER),
          requestBody: { required: true, description: 'The file itself', content: { '*/*': BYTES } },
          responses: { 201: answer('It is kept', 'Uploaded'), ...refusals(...EVERYWHERE, 408, 411, 413, 415, 422, 507) },
        },
        get: {
          operationId: 'list',
          summary: 'The files of a user',
          parameters: parameters('limit', 'after', ...ASKER),
          responses: { 200: answer('A page, and what to ask the next one by', 'Page'), ...refusals(...EVERYWHERE) },
        },
      },
      '/files/{id}': {
        parameters: parameters('id'),
        get: {
          operationId: 'info',
          summary: 'What a file is',
          parameters: parameters(...ASKER),
          responses: { 200: answer('The file', 'File'), ...refusals(...EVERYWHERE, 404) },
        },
        delete: {
          operationId: 'delete',
          summary: 'Deletes a file',
          parameters: parameters(...ASKER),
          responses: { 204: answer('It is gone'), ...refusals(...EVERYWHERE, 404) },
        },
      },
      '/files/{id}/content': {
        parameters: parameters('id'),
        get: {
          operationId: 'download',
          summary: 'The bytes of a file, whole',
          parameters: parameters(...ASKER),
          responses: { 200: { description: 'The bytes', content: { '*/*': BYTES } }, ...refusals(...EVERYWHERE, 404, 422) },
        },
      },
      '/healthz': {
        get: { operationId: 'health', summary: 'Whether the process lives', ...OPEN, responses: { 200: answer('It does', 'Health') } },
      },
      '/readyz': {
        get: {
          operationId: 'readiness',
          summary: 'Whether it should be given requests: the ledger answers',
          ...OPEN,
          responses: { 200: answer('It should', 'Readiness'), 503: answer('It should not', 'Readiness') },
        },
      },
      '/openapi.json': {
        get: {
          operationId: 'description',
          summary: 'This document',
          ...OPEN,
          responses: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } } },
        },
      },
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'CUTOVER_API_TOKEN' } },
      parameters: {
        id: { name: 'id', in: 'path', required: true, description: 'As an upload has answered it, escaped', schema: { type: 'string' } },
        tool: query('tool', { type: 'string', description: 'From which place in the application' }, true),
        ...Object.fromEntries(Object.entries(QUERY).map(([name, schema]) => [name, query(name, schemaOf(schema), name === 'name')])),
      },
      responses: Object.fromEntries(Object.entries(REFUSALS).map(([status, said]) => [status, refusal(Number(status), said)])),
      schemas: {
        File: schemaOf(WireFile),
        Page: schemaOf(WirePage),
        Uploaded: schemaOf(WireUploaded),
        Error: schemaOf(WireError),
        Health: schemaOf(WireHealth),
        Readiness: schemaOf(WireReadiness),
      },
    },
  };
}

function refusal(status: number, description: string): Json {
  const waits = status === 429 || status === 503;
  const seconds = { description: 'In seconds, where it is known', schema: { type: 'integer', minimum: 1 } };
  return { ...answer(description, 'Error'), ...(waits ? { headers: { 'Retry-After': seconds } } : {}) };
}
