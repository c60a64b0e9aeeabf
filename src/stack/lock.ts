import { createHash } from 'node:crypto';
import { realpathSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface Lock {
  release(): Promise<void>;
}
/** Answers what somebody asks the holder of a lock. */
export type Answer = (request: unknown) => unknown;

/**
 * Takes a folder for this process. The lock is a listening socket, which the kernel frees however its holder ends, and through
 * which the holder can be asked.
 * @returns null when another process has it
 */
export async function takeLock(folder: string, answer: Answer): Promise<Lock | null> {
  const path = socketPath(folder);
  for (let attempt = 0; attempt < 2; attempt++) {
    const server = await listen(path, answer);
    if (server !== null) return { release: () => close(server) };
    if (path.startsWith('\0') || (await isAnswering(path))) return null;
    rmSync(path, { force: true });
  }
  return null;
}

/** Asks the holder of a folder's lock. Null when there is none, or none that answers in time. */
export function askHolder(folder: string, request: unknown, withinMs = 2000): Promise<unknown> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(socketPath(folder), () => socket.write(`${JSON.stringify(request)}\n`));
    socket.setTimeout(withinMs, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(parse(text)));
  });
}

/** Waits until nobody holds the folder. @returns false when somebody still does after `withinMs` */
export async function waitForRelease(folder: string, withinMs: number): Promise<boolean> {
  const until = Date.now() + withinMs;
  while (await isAnswering(socketPath(folder))) {
    if (Date.now() > until) return false;
    await delay(50);
  }
  return true;
}

/** Linux frees an abstract name by itself; elsewhere it is a file, which can be left over. */
function socketPath(folder: string): string {
  const name = `cutover-${createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)}`;
  return process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
}

function listen(path: string, answer: Answer): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => serve(socket, answer));
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)));
    server.listen({ path, exclusive: true }, () => resolve(server));
  });
}

function serve(socket: Socket, answer: Answer): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.setTimeout(5000, () => socket.destroy());
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.includes('\n')) socket.end(JSON.stringify(answer(parse(text)) ?? null));
    else if (text.length > 4096) socket.destroy();
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
