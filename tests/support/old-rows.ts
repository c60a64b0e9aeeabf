import { supabase } from './supabase-provider.ts';

/** A row of `files` as an application wrote it before there was a hash. @returns its id */
export async function oldRow(row: { storage_path: string | null; original_name: string; size_bytes: number }): Promise<string> {
  const { url, secretKey } = supabase();
  const answer = await fetch(`${url}/rest/v1/files?select=id`, {
    method: 'POST',
    headers: {
      apikey: secretKey,
      authorization: `Bearer ${secretKey}`,
      'content-type': 'application/json',
      prefer: 'return=representation',
    },
    body: JSON.stringify({ mime_type: 'text/plain', metadata: {}, ...row }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  const [made] = (await answer.json()) as { id: string }[];
  return made?.id ?? '';
}
