import { expect, test } from 'vitest';
import { missingStatus, normalizeDatabaseError } from '../../src/stack/lite/database-errors.ts';

test('errors that Lite does not know get the status that PostgREST gives them', () => {
  expect(missingStatus('23514')).toBe(400);
  expect(missingStatus('P0001')).toBe(400);
  expect(missingStatus('40001')).toBe(500);
  expect(missingStatus('53300')).toBe(503);
  expect(missingStatus('53400')).toBe(500);
  expect(missingStatus('28000')).toBe(403);
  expect(missingStatus('3F000')).toBe(400);
});

test('errors that Lite answers as PostgREST does are left to it', () => {
  for (const code of ['23505', '23503', '23502', '42501', '42P01', '22P02', '21000', '25006', 'PT409', 'PGRST'])
    expect(missingStatus(code), code).toBeNull();
  const unique = { code: '23505', message: 'duplicate key' };
  expect(normalizeDatabaseError(unique, '/data')).toBe(unique);
  const bug = new TypeError('x is not a function');
  expect(normalizeDatabaseError(bug, '/data')).toBe(bug);
});

test('a lost connection is "later", not a failure of the request', () => {
  const answer = normalizeDatabaseError({ code: 'CONNECTION_CLOSED', message: 'write CONNECTION_CLOSED' }, '/data') as {
    message: string;
    detail: string;
  };
  expect(JSON.parse(answer.detail)).toEqual({ status: 503, headers: {} });
  expect(JSON.parse(answer.message).code).toBe('PGRST001');
});

test('a full disk is named', () => {
  const answer = normalizeDatabaseError({ code: '53100', message: 'could not extend file' }, '/data') as { message: string };
  expect(JSON.parse(answer.message).message).toBe('no space left in /data (could not extend file)');
});
