import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { composeEnv } from '../../scripts/compose-env.ts';
import { loadConfig } from '../../src/config/index.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  image?: string;
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: object;
  profiles?: string[];
  entrypoint?: string[];
}
const text = read('docker-compose.yml');
const compose = parse(text, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> };
const services = Object.entries(compose.services).map(([name, service]) => ({ name, ...service }));

/** The schema calls its dialect by an address that ajv does not know; draft-07 is what ajv takes where nothing is said. */
const { $schema: _, ...schema } = JSON.parse(read('tests/support/compose-spec/compose-spec.json')) as object & { $schema: string };
const valid = new Ajv({ strict: false, validateFormats: false }).compile(schema);

/** `${NAME:?…}`, `${NAME:-…}` */
const interpolations = [...text.matchAll(/\$\{([A-Z_]+)(:[?-]|-)?([^}]*)\}/g)].map(([, name = '', operator = '', rest = '']) => ({
  ...{ name, operator, rest },
}));
const required = new Set(interpolations.flatMap(({ name, operator }) => (operator === ':?' ? [name] : [])));

/** Variables of the API, of metrics and of the old upload path, which come from branches beside this one. */

describe('docker-compose.yml', () => {
  it('is what the Compose Specification allows', () => {
    expect(valid(compose), JSON.stringify(valid.errors)).toBe(true);
    expect(valid({ services: { worker: { ...compose.services.worker, helthcheck: {} } } })).toBe(false);
  });

  it.each(services)('pins the version of $name', ({ image }) => {
    expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+(\.\d+)*(-\w+)?$/);
  });

  it.each(services)('opens the ports of $name on this machine only', ({ ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+$/);
  });

  it('has no secret in it and none that is forgotten: each must be set, and the message says how', () => {
    const secrets = services.flatMap(({ environment = {} }) =>
      Object.entries(environment).filter(([name]) => /PASSWORD|PWD|SECRET|TOKEN|_KEY$|DB_URI|DATABASE_URL/.test(name)),
    );
    expect(secrets.length).toBeGreaterThan(15);
    // Legacy's is the application's own, and need not be there.
    for (const [name, value] of secrets) if (name !== 'LEGACY_TOKEN') expect(String(value), name).toMatch(/\$\{[A-Z_]+:\?[^}]{10,}\}/);
  });

  it.each(services)(
    'lets $name wait only for services that there are, and for health only where it is looked at',
    ({ depends_on = {} }) => {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(compose.services[other], other).toBeDefined();
        if (condition === 'service_healthy') expect(compose.services[other]?.healthcheck, other).toBeDefined();
      }
    },
  );

  it('looks at the health of the worker and the API, and starts them when the tables are there', () => {
    for (const name of ['worker', 'api']) {
      expect(compose.services[name]?.healthcheck).toBeDefined();
      expect(compose.services[name]?.depends_on?.ledger?.condition).toBe('service_completed_successfully');
    }
    expect(existsSync(join(root, compose.services.ledger?.entrypoint?.[1]?.replace('/app/', '') ?? ''))).toBe(true);
  });

  it('mounts files that are in this repository, and volumes that it declares', () => {
    const mounts = services.flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0] ?? ''));
    const paths = mounts.filter((mount) => mount.startsWith('./'));
    expect(paths.length).toBeGreaterThan(5);
    for (const path of paths) expect(existsSync(join(root, path)), path).toBe(true);
    const named = mounts.filter((mount) => /^[a-z]/.test(mount));
    expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)));
  });

  it('gives Cutover no variable that it does not read', () => {
    const { inForce } = loadConfig({ env: {}, cwd: join(tmpdir(), 'cutover-no-such-folder') });
    const given = ['worker', 'api', 'cutover'].flatMap((name) => Object.keys(compose.services[name]?.environment ?? {}));
    expect(given.filter((name) => !inForce.some((variable) => variable.name === name))).toEqual([]);
  });

  it('has Prometheus ask the worker and the API at the port on which they show their metrics', () => {
    const { scrape_configs } = parse(read('observability/prometheus.yml')) as {
      scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    const targets = scrape_configs.flatMap(({ dns_sd_configs }) => dns_sd_configs.map(({ names, port }) => [names[0], port] as const));
    expect(targets.map(([name]) => name)).toEqual(['worker', 'api']);
    for (const [name = '', port] of targets) expect(compose.services[name]?.environment?.CUTOVER_METRICS_PORT).toBe(String(port));
  });

  it('has a gateway before services that there are', () => {
    const hosts = [...read('docker/supabase-gateway.conf').matchAll(/proxy_pass http:\/\/([a-z-]+):/g)].map(([, host = '']) => host);
    expect(hosts).toEqual(['supabase-rest', 'supabase-auth', 'supabase-storage']);
    for (const host of hosts) expect(compose.services.supabase?.depends_on?.[host]?.condition).toBe('service_healthy');
  });
});

describe('scripts/compose-env.ts', () => {
  const made = parseEnv(composeEnv(1_800_000_000)) as Record<string, string>;

  it('makes all that must be set, but for the folder', () => {
    expect([...required].filter((name) => !made[name])).toEqual(['FILES']);
  });

  it('makes each secret anew, and no two alike', () => {
    const secrets = (env: Record<string, string | undefined>) => [...required].flatMap((name) => env[name] || []);
    const both = [...secrets(made), ...secrets(parseEnv(composeEnv(1_800_000_000)))];
    expect(new Set(both).size).toBe(both.length);
    for (const secret of both) expect(secret).toMatch(/^[\w.-]{32,}$/);
  });

  it('signs the two keys of Supabase with its secret, one for each role', () => {
    for (const [name, role] of [
      ['SUPABASE_ANON_KEY', 'anon'],
      ['SUPABASE_SECRET_KEY', 'service_role'],
    ] as const) {
      const [header = '', claims = '', signature] = (made[name] ?? '').split('.');
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ role, iat: 1_800_000_000 });
      expect(signature).toBe(
        createHmac('sha256', made.SUPABASE_JWT_SECRET ?? '')
          .update(`${header}.${claims}`)
          .digest('base64url'),
      );
    }
  });

  it('makes a .env that commands outside of the containers can use', () => {
    const { temporal, supabase } = loadConfig({ env: made, cwd: join(tmpdir(), 'cutover-no-such-folder') });
    expect([temporal.address, supabase.url, supabase.secretKey]).toEqual([
      '127.0.0.1:7233',
      'http://127.0.0.1:8000',
      made.SUPABASE_SECRET_KEY,
    ]);
  });
});
