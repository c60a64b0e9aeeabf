import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { getStatus, loadConfig, secretValues } from '../../src/config/index.ts';
import { scratchFolder } from '../support/stack.ts';

const folder = scratchFolder('mcp-storage');
afterAll(() => folder.remove());
const EXAMPLE = JSON.parse(readFileSync(new URL('../../config/mcp_config.example.json', import.meta.url), 'utf8'));
const TOKEN = 'a-token-that-nobody-may-see';
const file = join(folder.path, 'storage.json');
/** Loads with the example, changed. */
function load(
  change: (storage: (typeof EXAMPLE)['storage']) => void = () => undefined,
  env: Record<string, string> = { FILES_MCP_TOKEN: TOKEN },
) {
  const config = structuredClone(EXAMPLE);
  change(config.storage);
  writeFileSync(file, JSON.stringify(config));
  return loadConfig({ env: { MCP_CONFIG: file, ...env }, cwd: folder.path });
}

describe('a storage behind another MCP server', () => {
  it('is set up as the example does, its secret taken from the environment, or from .env', () => {
    const { storage } = load().mcp;
    expect(storage).toMatchObject({
      server: { url: 'https://files.example.com/mcp', headers: { Authorization: `Bearer ${TOKEN}` } },
      maxFileMb: 2,
    });
    writeFileSync(join(folder.path, '.env'), 'FILES_MCP_TOKEN=from-dotenv-123\n');
    expect(load(undefined, {}).mcp.storage?.server).toMatchObject({ headers: { Authorization: 'Bearer from-dotenv-123' } });
    writeFileSync(join(folder.path, '.env'), '');
  });

  it('is none where there is no file and nobody names one', () => {
    expect(loadConfig({ env: {}, cwd: folder.path }).mcp.storage).toBeNull();
  });

  it('has its secret in no status, and among those that logs hide', () => {
    const config = load();
    expect(JSON.stringify([getStatus(config), config.inForce])).not.toContain(TOKEN);
    expect(getStatus(config).providers.mcp).toEqual({
      ...{ configured: true, address: 'https://files.example.com/mcp', secret: '********', maxFileBytes: 2 * 1024 * 1024 },
    });
    expect(secretValues({ env: { MCP_CONFIG: file, FILES_MCP_TOKEN: TOKEN }, cwd: folder.path })).toContain(TOKEN);
  });

  it('shows its address without the key that a variable puts into it', () => {
    const keyed = (key: string) => `https://files.example.com/mcp?key=${key}`;
    const config = load((storage) => Object.assign(storage.server, { url: keyed(`\${FILES_MCP_TOKEN}`) }));
    expect(config.mcp.storage?.server).toMatchObject({ url: keyed(TOKEN) });
    expect(getStatus(config).providers.mcp?.address).toBe(keyed(`\${FILES_MCP_TOKEN}`));
  });

  it.each<[string, (storage: (typeof EXAMPLE)['storage']) => void, RegExp]>([
    [
      'a secret that is written down',
      (storage) => Object.assign(storage.server.headers, { Authorization: `Bearer ${TOKEN}` }),
      /server.*Authorization: looks like a secret/,
    ],
    [
      'a tool that is not given the bytes',
      (storage) => delete storage.tools.upload.arguments.content,
      /tools\.upload\.arguments: must hand on "\{base64\}"/,
    ],
    [
      'a word that nobody knows',
      (storage) => Object.assign(storage.tools.info.arguments, { x: '{size}' }),
      /there is no \{size\}; there are: name, base64/,
    ],
    ['no tool to delete with', (storage) => delete storage.tools.delete, /storage\.tools\.delete/],
    ['a server without an address', (storage) => Object.assign(storage, { server: {} }), /storage\.server/],
    ['a setting that there is not', (storage) => Object.assign(storage, { maxFileMB: 3 }), /maxFileMB/],
  ])('is refused with %s, naming it', (_, change, message) => {
    const refusal = (() => {
      try {
        load(change);
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(refusal).toMatch(message);
    expect(refusal).toContain('MCP_CONFIG');
    expect(refusal).not.toContain(TOKEN);
  });

  it('is refused where a variable is not set, the file is missing or no JSON', () => {
    expect(() => load(undefined, {})).toThrow(/refers to FILES_MCP_TOKEN, which is not set/);
    expect(() => loadConfig({ env: { MCP_CONFIG: 'nowhere.json' }, cwd: folder.path })).toThrow(
      /there is no such file: copy config\/mcp_config\.example\.json/,
    );
    writeFileSync(file, '{');
    expect(() => loadConfig({ env: { MCP_CONFIG: file }, cwd: folder.path })).toThrow(/is no JSON/);
  });
});
