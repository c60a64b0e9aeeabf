import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { createStorageServer } from './mcp-storage-server.ts';

/** The storage as a program of its own: what is put there lives as long as it does. */
const server = createStorageServer();
const transport = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: 64 * 1024 * 1024 });
serveStdio(() => server.serve(() => undefined), { transport });
