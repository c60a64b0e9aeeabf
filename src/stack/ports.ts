import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { z } from 'zod';
import { readIfThere, writeAtomically } from './atomic-file.ts';
import { StackError } from './stack-error.ts';

export const PORT_NAMES = ['temporal', 'temporalUi', 'supabase', 'postgres'] as const;
export type PortName = (typeof PORT_NAMES)[number];
export type Ports = Record<PortName, number>;

const VARIABLES: Record<PortName, string> = {
  temporal: 'CUTOVER_TEMPORAL_PORT',
  temporalUi: 'CUTOVER_TEMPORAL_UI_PORT',
  supabase: 'CUTOVER_SUPABASE_PORT',
  postgres: 'CUTOVER_POSTGRES_PORT',
};
/** Below the range from which systems give ports to outgoing connections, so that a restarting service finds its own free. */
const RANGE = { first: 20_000, last: 32_000 };

export interface ChosenPorts {
  ports: Ports;
  /** One line for each remembered port that somebody else has now. */
  notices: string[];
}

/**
 * Explicit ports as they are, else those of last time, else free ones; remembered in `path`.
 * @throws StackError `port_taken` for an explicit one.
 */
export async function choosePorts(path: string, explicit: Partial<Record<PortName, number | null>>): Promise<ChosenPorts> {
  const remembered = readPorts(path);
  const notices: string[] = [];
  const ports: Partial<Ports> = {};
  for (const name of PORT_NAMES) {
    const wanted = explicit[name];
    if (wanted == null) continue;
    const same = PORT_NAMES.find((other) => ports[other] === wanted);
    if (same !== undefined)
      throw new StackError('port_taken', `${VARIABLES[name]} and ${VARIABLES[same]} are both ${wanted}. Give them different ports.`);
    if (!(await isFree(wanted)))
      throw new StackError(
        'port_taken',
        `Port ${wanted} (${VARIABLES[name]}) is taken by another program. Stop that program, choose another port, or unset ${VARIABLES[name]} to have a free one chosen.`,
      );
    ports[name] = wanted;
  }
  for (const name of PORT_NAMES) {
    if (ports[name] !== undefined) continue;
    const last = remembered[name];
    const free = last !== undefined && !Object.values(ports).includes(last) && (await isFree(last));
    const port = free ? last : await freePort(Object.values(ports));
    if (last !== undefined && !free) notices.push(`Port ${last} (${name}) is taken by another program; using ${port} instead.`);
    ports[name] = port;
  }
  const chosen = ports as Ports;
  writeAtomically(path, `${JSON.stringify(chosen, null, 2)}\n`);
  return { ports: chosen, notices };
}

/** The ports of last time, as far as they are known. */
export function readPorts(path: string): Partial<Ports> {
  try {
    return z.partialRecord(z.enum(PORT_NAMES), z.number().int().min(1).max(65_535)).parse(JSON.parse(readIfThere(path) ?? '{}'));
  } catch {
    return {};
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

async function freePort(except: readonly number[]): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(RANGE.first, RANGE.last);
    if (!except.includes(port) && (await isFree(port))) return port;
  }
  throw new StackError(
    'port_taken',
    `No free port was found between ${RANGE.first} and ${RANGE.last}. Set ${Object.values(VARIABLES).join(', ')}.`,
  );
}
