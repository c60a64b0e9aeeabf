import { randomUUID } from 'node:crypto';
import { createClient } from '@supabase/supabase-js';
import { expect, inject, it } from 'vitest';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { signJwt } from '../support/postgrest.ts';
import { claimRequest, reference } from './ledger-samples.ts';
import { describeLedger } from './ledger-suite.ts';

describeLedger('Supabase Lite', async () => createSupabaseLedger(inject('supabase')));

it('The embedded Data API shows nobody the ledger, and a signed-in user their own references', async () => {
  const { url, publishableKey, jwtSecret, ...rest } = inject('supabase');
  const ledger = createSupabaseLedger({ url, ...rest });
  const ann = randomUUID();
  const { fileId } = await ledger.claim(claimRequest());
  await ledger.addReference(fileId, reference({ userId: ann, name: 'hers' }));
  await ledger.addReference(fileId, reference({ userId: randomUUID(), name: 'not hers' }));

  const token = signJwt({ role: 'authenticated', sub: ann, exp: Math.floor(Date.now() / 1000) + 600 }, jwtSecret);
  const signedIn = createClient(url, publishableKey, { accessToken: async () => token });
  const nobody = createClient(url, publishableKey, { auth: { persistSession: false } });
  for (const table of ['files', 'file_references', 'provider_file_uploads', 'migration_items', 'provider_states', 'id_map'])
    expect(await nobody.from(table).select('*')).toMatchObject({ error: null, data: [] });
  expect(await signedIn.from('files').select('*')).toMatchObject({ error: null, data: [] });
  expect(await signedIn.from('file_references').select('name')).toMatchObject({ error: null, data: [{ name: 'hers' }] });
  expect((await signedIn.rpc('list_files')).error?.code).toBe('42501');
});
