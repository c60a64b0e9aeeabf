import { inject } from 'vitest';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { describeLedger } from './ledger-suite.ts';

describeLedger('Supabase Lite', async () => createSupabaseLedger(inject('supabase')));
