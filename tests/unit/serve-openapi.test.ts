import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApi } from '../../src/server/openapi.ts';
import { memoryFacade, type RunningTestApi, startTestApi } from '../support/api.ts';

/** The document against the server that it describes, and against the rules of OpenAPI 3.1 that a generator of clients stumbles over. */

type Json = Record<string, unknown>;
interface Operation {
  operationId: string;
  parameters?: Json[];
  security?: Json[];
  responses: Record<string, Json>;
}
type PathItem = Partial<Record<'get' | 'post' | 'delete', Operation>> & { parameters?: Json[] };

const document = openApi('1.2.3') as Json & { paths: Record<string, PathItem>; components: Record<string, Record<string, Json>> };
const operations = Object.entries(document.paths).flatMap(([path, { parameters = [], ...methods }]) =>
  Object.entries(methods).map(([method, operation]) => ({
    path,
    method: method.toUpperCase(),
    shared: parameters,
    ...(operation as Operation),
  })),
);
const resolved = (node: Json): Json => {
  const ref = node.$ref as string | undefined;
  if (ref === undefined) return node;
  const found = ref
    .slice(2)
    .split('/')
    .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document);
  if (found === undefined) throw new Error(`${ref} leads nowhere`);
  return found as Json;
};
function* refsIn(node: unknown): Generator<string> {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref') yield value as string;
    else yield* refsIn(value);
  }
}
/** The schema of an answer as it is documented. */
function schemaFor(path: string, method: string, status: number): Json | null {
  const operation = operations.find((each) => each.path === path && each.method === method);
  const answer = operation?.responses[status];
  if (answer === undefined) throw new Error(`${method} ${path} does not document ${status}`);
  const content = resolved(answer).content as Record<string, { schema: Json }> | undefined;
  return content?.['application/json']?.schema ?? null;
}
const ajv = new Ajv2020({ strict: true, strictTypes: false, validateFormats: false });
ajv.addVocabulary(['components', 'paths', 'info', 'openapi', 'security']);
ajv.addSchema({ $id: 'api', ...document });

describe('The OpenAPI document', () => {
  test('says what it is', () => {
    expect(document).toMatchObject({ openapi: '3.1.1', info: { title: 'Cutover', version: '1.2.3' } });
  });
  test('has no reference that leads nowhere, and nothing that is never used', () => {
    const used = new Set(refsIn(document));
    for (const ref of used) expect(() => resolved({ $ref: ref })).not.toThrow();
    const { securitySchemes, ...components } = document.components;
    const there = Object.entries(components).flatMap(([kind, all]) => Object.keys(all).map((name) => `#/components/${kind}/${name}`));
    expect([...used].toSorted()).toEqual(there.toSorted());
    expect(Object.keys(securitySchemes ?? {})).toEqual(['token']);
  });
  test('names each operation once, and declares the parts of each path and no parameter twice', () => {
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { path, shared, parameters = [] } of operations) {
      const all = [...shared, ...parameters].map(resolved);
      const inPath = all.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
      expect(all.every(({ name, schema }) => typeof name === 'string' && typeof schema === 'object')).toBe(true);
    }
  });
  test('lets each operation on files say what kind of model they are for, and lists the kinds', () => {
    const said = operations.filter(({ parameters = [] }) => parameters.map(resolved).some(({ name }) => name === 'model'));
    expect(said.map(({ operationId }) => operationId)).toEqual(['upload', 'list', 'info', 'delete', 'download']);
    expect(document.components.parameters?.model).toMatchObject({ required: false, schema: { enum: ['standard', 'thinking', 'fast'] } });
  });
  test('describes every answer, and every schema in it is one', () => {
    for (const { responses } of operations)
      for (const [status, answer] of Object.entries(responses)) {
        expect(status).toMatch(/^[2-5]\d\d$/);
        expect(resolved(answer).description).toEqual(expect.stringMatching(/\w/));
      }
    for (const schema of Object.values(document.components.schemas ?? {})) expect(ajv.validateSchema(schema)).toBe(true);
    for (const { schema } of Object.values(document.components.parameters ?? {})) expect(ajv.validateSchema(schema as Json)).toBe(true);
  });
});

describe('The server', () => {
  let api: RunningTestApi;
  beforeAll(async () => {
    api = await startTestApi(memoryFacade(0).facade);
  });
  afterAll(async () => void (await api.stop()));

  /** Asks, and holds the answer against what is documented of it. */
  async function documented(method: string, path: string, query = '', init: RequestInit & { id?: string } = {}) {
    const answer = await api.ask(`${path.replace('{id}', encodeURIComponent(init.id ?? ''))}${query}`, { method, ...init });
    const schema = schemaFor(path, method, answer.status);
    const text = await answer.text();
    if (schema !== null) {
      const validate = ajv.compile({ ...schema, ...(schema.$ref === undefined ? {} : { $ref: `api${schema.$ref}` }) });
      expect(validate(JSON.parse(text)) || validate.errors).toBe(true);
    }
    return { status: answer.status, body: schema === null ? text : (JSON.parse(text) as Json) };
  }

  test('answers every operation of the document as it says', async () => {
    const { body } = await documented('POST', '/files', '?name=a.txt&tool=kimi', { body: 'hello' });
    const { id } = body as { id: string };
    const seen = [
      await documented('GET', '/files', '?tool=kimi&limit=1&model=fast'),
      await documented('GET', '/files/{id}', '?tool=kimi', { id }),
      await documented('GET', '/files/{id}/content', '?tool=kimi', { id }),
      await documented('DELETE', '/files/{id}', '?tool=kimi', { id }),
      await documented('GET', '/healthz'),
      await documented('GET', '/readyz'),
      await documented('GET', '/openapi.json'),
    ];
    expect(seen.map(({ status }) => status)).toEqual([200, 200, 200, 204, 200, 200, 200]);
    expect(seen.length + 1).toBe(operations.length);
  });
  test('refuses as it says', async () => {
    const seen = [
      await documented('POST', '/files', '?name=a.txt&tool=fax', { body: 'x' }),
      await documented('POST', '/files', '?name=a.txt&tool=kimi', { body: new FormData() }),
      await documented('POST', '/files', '?name=a.txt&tool=kimi', { body: Buffer.alloc(11 * 1024 * 1024) }),
      await documented('GET', '/files', '?tool=kimi', { headers: { authorization: 'no' } }),
      await documented('GET', '/files', '?tool=kimi&limit=0'),
      await documented('GET', '/files', '?tool=kimi&model=slow'),
      await documented('GET', '/files/{id}', '?tool=kimi', { id: 'x' }),
      await documented('GET', '/files/{id}/content', '?tool=kimi', { id: 'x' }),
      await documented('DELETE', '/files/{id}', '?tool=kimi', { id: 'x' }),
    ];
    expect(seen.map(({ status }) => status)).toEqual([400, 415, 413, 401, 400, 400, 404, 404, 404]);
  });
  test('asks for the token where the document says so, and nowhere else', async () => {
    for (const { path, method, security } of operations) {
      const { status } = await fetch(`${api.url}${path}`, { method });
      expect([path, status === 401]).toEqual([path, security === undefined]);
    }
  });
  test('has no operation that the document does not know', async () => {
    for (const path of Object.keys(document.paths))
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
        if (!operations.some((each) => each.path === path && each.method === method))
          expect((await api.ask(path.replace('{id}', 'x'), { method })).status).toBe(405);
    for (const path of ['/', '/files/', '/files/x/y', '/file', '/health', '/v1/files', '/FILES'])
      expect((await api.ask(path)).status).toBe(404);
  });
});
