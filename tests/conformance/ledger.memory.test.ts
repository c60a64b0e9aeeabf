import { createMemoryLedger } from '../support/memory-ledger.ts';
import { describeLedger } from './ledger-suite.ts';

describeLedger('fake in memory', async () => createMemoryLedger());
