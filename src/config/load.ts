import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { pairConnections } from './connections.ts';
import { filesSchema } from './files.ts';
import { type Found, find, type Layer, type Origin, readDotenv } from './layers.ts';
import { legacySchema } from './legacy.ts';
import { mcpSchema } from './mcp.ts';
import { metricsSchema } from './metrics.ts';
import { migrationSchema } from './migration.ts';
import { nearMisses } from './near-misses.ts';
import { operationsSchema } from './operations.ts';
import { ConfigError, type Problem } from './problem.ts';
import { providersSchema } from './providers.ts';
import { retentionSchema } from './retention.ts';
import { rolloutsSchema } from './rollouts.ts';
import { logSchema, stackSchema, workerSchema } from './runtime.ts';
import { serveSchema } from './serve.ts';
import { infoOf, type SettingInfo } from './setting.ts';
import { supabaseSchema } from './supabase.ts';
import { temporalSchema } from './temporal.ts';
import { configuredTools, TOOLS, type Tool, toolOfVariable } from './tools.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigSource {
  env: Environment;
  /** Where `.env` is read and relative paths count from. */
  cwd: string;
}

/** A variable as it is in force: for `cutover config`. Secret values are masked. */
export interface InForce extends Pick<SettingInfo, 'about' | 'secret'> {
  section: string;
  name: string;
  value: string;
  origin: Origin;
  where: string | null;
}

export const MASK = '********';

/** A container may run under a number that no account has: its home is the root then, as Docker says, too. */
function accountHome(): string {
  try {
    return homedir();
  } catch {
    return '/';
  }
}

/** Every concern's variables and how they become settings. The one list of what can be configured: some are there for each tool. */
export function concerns(
  { env, cwd }: ConfigSource,
  tools: readonly Tool[] = TOOLS,
  lookup: (name: string) => string | undefined = (name) => env[name],
) {
  const cache = env.XDG_CACHE_HOME?.startsWith('/') ? env.XDG_CACHE_HOME : join(env.HOME ?? accountHome(), '.cache');
  return {
    temporal: temporalSchema(cwd),
    supabase: supabaseSchema(),
    files: filesSchema(),
    retention: retentionSchema(),
    providers: providersSchema(),
    migration: migrationSchema(tools),
    legacy: legacySchema(),
    rollouts: rolloutsSchema(),
    operations: operationsSchema(),
    mcp: mcpSchema(cwd, lookup),
    worker: workerSchema(),
    serve: serveSchema(cwd),
    stack: stackSchema(cwd, { stateDir: resolve(cwd, '.cutover'), cacheDir: join(cache, 'cutover') }),
    metrics: metricsSchema(),
    log: logSchema(),
  };
}

type Concerns = ReturnType<typeof concerns>;
type Settings = { readonly [K in keyof Concerns]: Readonly<z.output<Concerns[K]['schema']>> };

export interface Config extends Omit<Settings, 'temporal' | 'supabase'> {
  /** Data of the embedded stack; the same as `stack.stateDir`. */
  readonly stateDir: string;
  /** `embedded`: the address is that of the server that `cutover up` started here, not one that somebody set. */
  readonly temporal: Settings['temporal'] & { readonly embedded: boolean };
  readonly supabase: Settings['supabase'] & { readonly embedded: boolean };
  readonly inForce: readonly InForce[];
  /** Slips that do not keep anything from working, one line each. */
  readonly warnings: readonly string[];
}

/** What `cutover up` writes (mode 0600) so that the other commands find the servers it started. */
export const stackEnvPath = (stateDir: string): string => join(stateDir, 'stack.env');

/**
 * Reads the configuration: defaults < what `cutover up` wrote < `.env` in the working folder < the environment. An empty value
 * in a stronger layer hides what a weaker one says.
 * @throws ConfigError with all problems at once.
 */
export function loadConfig(source: ConfigSource): Config {
  const problems: Problem[] = [];
  const layers = readLayers(source, problems);
  const schemas = concerns(source, configuredTools(layers), (name) => find(layers, name, null)?.value);
  const infos = new Map<string, SettingInfo>();
  for (const { variables } of Object.values(schemas))
    for (const [name, schema] of Object.entries(variables.shape)) infos.set(name, infoOf(schema as z.ZodType));

  const all = new Map<string, Found>();
  for (const [name, { alias }] of infos) {
    const found = find(layers, name, alias);
    if (found !== null) all.set(name, found);
  }
  const paired = pairConnections(all, layers);
  problems.push(...paired.problems);

  const input = Object.fromEntries([...paired.found].filter(([, { value }]) => value !== '').map(([name, { value }]) => [name, value]));
  const settings: Record<string, unknown> = {};
  const inForce: InForce[] = [];
  for (const [key, { title, variables, schema }] of Object.entries(schemas)) {
    const parsed = schema.safeParse(input);
    if (parsed.success) settings[key] = parsed.data;
    else for (const issue of allIssues(schema, input, parsed.error)) problems.push(problemOf(issue, infos, paired.found));
    for (const name of Object.keys(variables.shape)) inForce.push(describe(title, name, infos, paired.found));
  }
  if (problems.length > 0) throw new ConfigError(problems);

  const parsed = settings as unknown as Settings;
  const embedded = (name: string): boolean => paired.found.get(name)?.origin === 'stack';
  return deepFreeze({
    ...parsed,
    stateDir: parsed.stack.stateDir,
    temporal: { ...parsed.temporal, embedded: embedded('TEMPORAL_ADDRESS') },
    supabase: { ...parsed.supabase, embedded: embedded('SUPABASE_URL') },
    inForce,
    warnings: [...paired.warnings, ...slips(layers, infos)],
  });
}

/** The strongest last. What cannot be read is a problem, and empty. */
export function readLayers({ env, cwd }: ConfigSource, problems: Problem[]): Layer[] {
  const dotenv = (origin: Origin, path: string): Layer => {
    try {
      return { origin, where: path, values: readDotenv(path) };
    } catch (error) {
      problems.push({ variable: null, value: null, message: (error as Error).message, where: null });
      return { origin, where: path, values: {} };
    }
  };
  const file = dotenv('file', join(cwd, '.env'));
  const environment: Layer = { origin: 'environment', where: 'the environment', values: env };
  const stateDir = find([file, environment], 'CUTOVER_STATE_DIR', null)?.value || '.cutover';
  return [dotenv('stack', stackEnvPath(resolve(cwd, stateDir))), file, environment];
}

/**
 * What is wrong with one variable keeps zod from looking at what is wrong between several. So it looks again without the wrong ones, and
 * what it finds then counts where none of them (`params.with` names the others of a rule) has a part in it.
 */
function allIssues(schema: z.ZodType, input: Environment, { issues }: z.ZodError): z.core.$ZodIssue[] {
  const wrong = new Set(issues.map(({ path }) => String(path[0])));
  const again = schema.safeParse(Object.fromEntries(Object.entries(input).filter(([name]) => !wrong.has(name))));
  const between = again.success ? [] : again.error.issues.filter((issue) => !variablesOf(issue).some((name) => wrong.has(name)));
  return [...issues, ...between];
}

const variablesOf = (issue: z.core.$ZodIssue): string[] =>
  [issue.path[0], ...(issue.code === 'custom' ? (issue.params?.with ?? []) : [])].map(String);

function problemOf(issue: z.core.$ZodIssue, infos: ReadonlyMap<string, SettingInfo>, found: ReadonlyMap<string, Found>): Problem {
  const variable = String(issue.path[0]);
  const given = found.get(variable);
  const value = given === undefined || given.value === '' ? null : infos.get(variable)?.secret ? MASK : given.value;
  return { variable: given?.name ?? variable, value, message: issue.message, where: given?.where ?? null };
}

function describe(section: string, name: string, infos: ReadonlyMap<string, SettingInfo>, found: ReadonlyMap<string, Found>): InForce {
  const { about, secret, shown } = infos.get(name) as SettingInfo;
  const given = found.get(name);
  if (given === undefined || given.value === '') return { section, name, about, secret, value: shown, origin: 'default', where: null };
  return { section, name, about, secret, value: secret ? MASK : given.value, origin: given.origin, where: given.where };
}

function slips(layers: readonly Layer[], infos: ReadonlyMap<string, SettingInfo>): string[] {
  const known = [...infos].flatMap(([name, { alias }]) => (alias === null ? [name] : [name, alias]));
  return layers.flatMap(({ where, values }) =>
    nearMisses(Object.keys(values), known, (name) => toolOfVariable(name) !== null).map(({ name, suggestion }) => {
      const tool = toolOfVariable(name);
      const more =
        suggestion !== null
          ? `: did you mean ${suggestion}?`
          : tool !== null
            ? `: there is no tool ${tool}, unless CUTOVER_TOOLS names it`
            : '';
      return `${name} (${where}) is not a variable of cutover${more}`;
    }),
  );
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
