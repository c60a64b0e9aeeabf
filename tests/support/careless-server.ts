import net, { type AddressInfo, type Socket } from 'node:net';

/** A server that gives back in its answers what it should keep to itself. */
export interface CarelessServer {
  readonly url: string;
  /** How it answers from now on. */
  mode: Carelessness;
  close(): Promise<void>;
}

const json = 'application/json';
const html = 'text/html';

/** How a server can repeat a secret, or fail while it does. */
const ANSWERS = {
  'refuses and repeats it in every field': (socket: Socket, secret: string) =>
    answer(
      socket,
      401,
      JSON.stringify({ error: { type: secret, code: secret, message: `no rights for ${secret}` }, message: secret, code: secret }),
    ),
  'refuses and repeats it where the message is cut': (socket: Socket, secret: string) =>
    answer(socket, 401, JSON.stringify({ message: 'x'.repeat(285) + secret })),
  'refuses and repeats it escaped': (socket: Socket, secret: string) => answer(socket, 403, `key=${encodeURIComponent(secret)}`, html),
  'breaks down and repeats it in plain text': (socket: Socket, secret: string) => answer(socket, 500, `trace: ${secret}`, 'text/plain'),
  'repeats it in XML': (socket: Socket, secret: string) =>
    answer(socket, 400, `<Error><Code>${secret}</Code><Message>${secret}</Message></Error>`, 'application/xml'),
  'says that all is well, in a text that begins with it': (socket: Socket, secret: string) => answer(socket, 200, `${secret} is well`),
  'says that all is well, in a web page with it': (socket: Socket, secret: string) => answer(socket, 200, `<p>${secret}</p>`, html),
  'says that all is well, in XML that breaks off at it': (socket: Socket, secret: string) =>
    answer(socket, 200, `<?xml version="1.0"?><Listing>${secret}</Lis`, 'application/xml'),
  'says that all is well, in another shape': (socket: Socket, secret: string) =>
    answer(socket, 200, JSON.stringify({ data: secret, files: secret, file: { [secret]: 1 } })),
  'redirects to an address with it': (socket: Socket, secret: string) =>
    answer(socket, 302, '', json, `location: http://127.0.0.1:1/?key=${secret}\r\n`),
  'repeats it in something that is no HTTP': (socket: Socket, secret: string) => socket.end(`${secret} ${secret}\r\n\r\n`),
  'repeats it in a header that is none': (socket: Socket, secret: string) =>
    socket.end(`HTTP/1.1 200 OK\r\nx-key: \0${secret}\r\ncontent-length: 0\r\n\r\n`),
  'repeats it and breaks off': (socket: Socket, secret: string) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${json}\r\ncontent-length: 5000\r\n\r\n{"id":"${secret}`);
    setTimeout(() => socket.resetAndDestroy(), 20);
  },
  'breaks the connection': (socket: Socket) => socket.resetAndDestroy(),
  'never answers': () => undefined,
} as const;

export type Carelessness = keyof typeof ANSWERS;
export const CARELESSNESS = Object.keys(ANSWERS) as Carelessness[];

/** On the loopback. Answers before it has read a request to its end, one a connection. */
export async function startCarelessServer(secret: string): Promise<CarelessServer> {
  const sockets = new Set<Socket>();
  const listener = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.once('data', () => setTimeout(() => ANSWERS[server.mode](socket, secret), 10));
    socket.resume();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const server: CarelessServer = {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    mode: 'never answers',
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
  return server;
}

function answer(socket: Socket, status: number, body: string, type = json, more = ''): void {
  const head = `HTTP/1.1 ${status} Said\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n`;
  socket.end(`${head}${more}\r\n${body}`);
}
