import { randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

/** What a user of Storage through supabase-js or HTTP may expect of the embedded one. Supabase Lite 0.10.0 as it is fails nearly all of it. */

const bucket = `lite-${randomUUID().slice(0, 8)}`;
const { url, secretKey } = inject('supabase');
const client = createClient(url, secretKey);
const files = () => client.storage.from(bucket);
const headers = { apikey: secretKey, authorization: `Bearer ${secretKey}` };
const objectUrl = (key: string) => `${url}/storage/v1/object/${bucket}/${key}`;
const key = () => `tests/${randomUUID()}`;

async function stored(bytes: Buffer): Promise<string> {
  const name = key();
  const { error } = await files().upload(name, bytes, { contentType: 'text/plain' });
  expect(error).toBeNull();
  return name;
}

beforeAll(async () => {
  expect((await client.storage.createBucket(bucket, { public: false, fileSizeLimit: 1_000_000 })).error).toBeNull();
});
afterAll(async () => {
  await client.storage.emptyBucket(bucket);
  await client.storage.deleteBucket(bucket);
});

test('of parallel uploads without upsert one succeeds, and its bytes are the ones stored', async () => {
  const name = key();
  const bodies = Array.from({ length: 12 }, () => randomBytes(200_000));
  const results = await Promise.all(bodies.map((body) => files().upload(name, body, { upsert: false })));
  const winners = results.flatMap(({ error }, index) => (error === null ? [index] : []));
  expect(winners).toHaveLength(1);
  const { data } = await files().download(name);
  expect(Buffer.from(await (data as Blob).arrayBuffer()).equals(bodies[winners[0] as number] as Buffer)).toBe(true);
});

test('parts of an object can be read', async () => {
  const name = await stored(Buffer.from('0123456789'));
  const part = await fetch(objectUrl(name), { headers: { ...headers, range: 'bytes=2-4' } });
  expect([part.status, part.headers.get('content-range'), part.headers.get('content-length'), await part.text()]).toEqual([
    206,
    'bytes 2-4/10',
    '3',
    '234',
  ]);
  const after = await fetch(objectUrl(name), { headers: { ...headers, range: 'bytes=10-' } });
  expect([after.status, after.headers.get('content-range'), await after.text()]).toEqual([416, 'bytes */10', '']);
});

test('an object that the client has already is not sent again', async () => {
  const name = await stored(Buffer.from('same'));
  const first = await fetch(objectUrl(name), { headers });
  await first.text();
  const again = await fetch(objectUrl(name), { headers: { ...headers, 'if-none-match': first.headers.get('etag') ?? '' } });
  expect([again.status, await again.text()]).toEqual([304, '']);
});

test('HEAD tells size and type', async () => {
  const name = await stored(Buffer.from('12345'));
  const response = await fetch(objectUrl(name), { method: 'HEAD', headers });
  expect([response.status, response.headers.get('content-length'), response.headers.get('content-type')]).toEqual([200, '5', 'text/plain']);
  expect((await fetch(objectUrl(key()), { method: 'HEAD', headers })).ok).toBe(false);
  expect((await files().exists(name)).data).toBe(true);
  expect((await files().exists(key())).data).toBe(false);
});

test('info tells size, type and etag as hosted Storage does', async () => {
  const name = await stored(Buffer.from('12345'));
  const { data } = await files().info(name);
  expect(data).toMatchObject({
    name,
    bucketId: bucket,
    size: 5,
    contentType: 'text/plain',
    etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
  });
});

test('an empty object comes back empty', async () => {
  const name = await stored(Buffer.alloc(0));
  const { data, error } = await files().download(name);
  expect(error).toBeNull();
  expect(data?.size).toBe(0);
});

test('a download through /object/authenticated works', async () => {
  const name = await stored(Buffer.from('private'));
  const response = await fetch(`${url}/storage/v1/object/authenticated/${bucket}/${name}`, { headers });
  expect([response.status, await response.text()]).toEqual([200, 'private']);
});

test('a listing shows the objects of one folder and its sub-folders', async () => {
  const root = `list-${randomUUID()}`;
  for (const name of ['a.txt', 'b.txt', 'sub/c.txt', 'sub/deep/d.txt', 'subway.txt'])
    await files().upload(`${root}/${name}`, Buffer.from(name));
  const names = async (folder: string, options = {}) =>
    (await files().list(folder, options)).data?.map(({ name, id }) => (id === null ? `${name}/` : name));
  expect(await names(root)).toEqual(['a.txt', 'b.txt', 'sub/', 'subway.txt']);
  expect(await names(`${root}/sub`)).toEqual(['c.txt', 'deep/']);
  expect(await names(root, { limit: 2, offset: 1 })).toEqual(['b.txt', 'sub/']);
  expect(await names(root, { search: 'sub' })).toEqual(['sub/', 'subway.txt']);
  expect(await names(root, { sortBy: { column: 'name', order: 'desc' } })).toEqual(['subway.txt', 'sub/', 'b.txt', 'a.txt']);
  const [entry] = (await files().list(root)).data ?? [];
  expect(entry?.metadata).toMatchObject({ size: 5 });
});

test('a listing passes over nothing whose name stands close to that of a folder', async () => {
  const root = `close-${randomUUID()}`;
  const keys = ['-', '-/a', 'a', 'a-', 'a-/b', 'a/b', 'a/b/c', 'a/z', 'a0', 'a0/b', 'z/a'];
  for (const key of keys) await files().upload(`${root}/${key}`, Buffer.from(key));
  for (const beside of ['-', '0', '0/x']) await files().upload(`${root}${beside}`, Buffer.from(beside));
  const listed = (await files().list(root)).data?.map(({ name, id }) => (id === null ? `${name}/` : name));
  expect(listed?.toSorted()).toEqual(['-', '-/', 'a', 'a-', 'a-/', 'a/', 'a0', 'a0/', 'z/']);
});

test('an upload of more than the bucket allows is refused, with and without a length', async () => {
  const large = Buffer.alloc(1_000_001);
  const { error } = await files().upload(key(), large);
  expect(error).toMatchObject({ statusCode: '413' });
  const name = key();
  const chunked = await fetch(objectUrl(name), {
    method: 'POST',
    headers: { ...headers, 'content-type': 'text/plain' },
    body: new Blob([large]).stream(),
    duplex: 'half',
  });
  expect(await chunked.json()).toMatchObject({ statusCode: '413' });
  expect((await files().exists(name)).data).toBe(false);
});

test('an upload that breaks off leaves no object', async () => {
  const name = key();
  await new Promise<void>((resolve) => {
    const upload = request(objectUrl(name), {
      method: 'POST',
      headers: { ...headers, 'content-length': 100_000, 'content-type': 'text/plain' },
    });
    upload.on('error', () => {});
    upload.on('close', () => resolve());
    upload.write(Buffer.alloc(50_000), () => setTimeout(() => upload.destroy(), 100));
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await files().exists(name)).data).toBe(false);
  expect((await files().upload(name, Buffer.from('whole'))).error).toBeNull();
});

test('signed URLs for downloads and uploads work through supabase-js', async () => {
  const name = await stored(Buffer.from('signed'));
  const single = await files().createSignedUrl(name, 60);
  expect(await (await fetch(single.data?.signedUrl ?? '')).text()).toBe('signed');
  const many = await files().createSignedUrls([name, 'not/there'], 60);
  expect(await (await fetch(many.data?.[0]?.signedUrl ?? '')).text()).toBe('signed');
  expect(many.data?.[1]?.error).not.toBeNull();
  const target = key();
  const upload = await files().createSignedUploadUrl(target);
  expect((await files().uploadToSignedUrl(target, upload.data?.token ?? '', Buffer.from('by token'))).error).toBeNull();
  expect(await (await files().download(target)).data?.text()).toBe('by token');
});

test('a forged token is the caller’s mistake, not a failure of the server', async () => {
  const name = await stored(Buffer.from('signed'));
  const response = await fetch(`${url}/storage/v1/object/sign/${bucket}/${name}?token=eyJhbGciOiJIUzI1NiJ9.e30.forged`);
  expect(response.status).toBe(400);
});

test('a copy says where it is, and has the same bytes', async () => {
  const name = await stored(Buffer.from('copied'));
  const target = key();
  expect((await files().copy(name, target)).data?.path).toBe(`${bucket}/${target}`);
  expect(await (await files().download(target)).data?.text()).toBe('copied');
});

test('names that are hard for a file system are names like any other', async () => {
  const names = [`a/${'long'.repeat(200)}`, 'dir', 'dir/file', 'dir.json', '.hidden'];
  for (const name of names) expect((await files().upload(name, Buffer.from(name), { upsert: true })).error, name).toBeNull();
  for (const name of names) expect(await (await files().download(name)).data?.text(), name).toBe(name);
  expect((await files().remove(['dir'])).error).toBeNull();
  expect(await (await files().download('dir/file')).data?.text()).toBe('dir/file');
});
