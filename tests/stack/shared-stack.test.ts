import { createClient } from '@supabase/supabase-js';
import { Client, Connection } from '@temporalio/client';
import { expect, inject, test } from 'vitest';
import { missingSearchAttributes } from '../../src/stack/search-attributes.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract.ts';

test('Temporal has the namespace with a month of retention and all search attributes', async () => {
  const connection = await Connection.connect({ address: inject('temporal').address });
  try {
    expect(await missingSearchAttributes(connection, 'default', SEARCH_ATTRIBUTES)).toEqual([]);
    const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
    expect(await new Client({ connection }).workflow.count()).toHaveProperty('count');
  } finally {
    await connection.close();
  }
});

test('the web UI answers', async () => {
  const response = await fetch(inject('temporal').uiUrl);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('<!doctype html>');
});

test('the secret key is the service role, for supabase-js and as bearer token', async () => {
  const { url, secretKey } = inject('supabase');
  const client = createClient(url, secretKey);
  const { data, error } = await client.from('files').select('id').limit(1);
  expect(error).toBeNull();
  expect(data).toBeInstanceOf(Array);
  const raw = await fetch(`${url}/rest/v1/files?select=id&limit=1`, {
    headers: { apikey: secretKey, authorization: `Bearer ${secretKey}` },
  });
  expect(raw.status).toBe(200);
});

test('a wrong key and no key are refused', async () => {
  const { url } = inject('supabase');
  for (const headers of [{}, { apikey: 'sb_secret_wrong' }] as Record<string, string>[])
    expect((await fetch(`${url}/rest/v1/files`, { headers })).status).toBe(401);
});

test('the publishable key sees nothing of the ledger', async () => {
  const { url, publishableKey } = inject('supabase');
  const { data } = await createClient(url, publishableKey).from('files').select('id').limit(1);
  expect(data ?? []).toEqual([]);
});
