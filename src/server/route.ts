import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Exchange } from './exchange.ts';

export interface ApiEnv {
  Bindings: HttpBindings;
  Variables: { exchange: Exchange };
}
export type ApiContext = Context<ApiEnv>;

export interface Route {
  method: 'GET' | 'POST' | 'DELETE';
  /** With Hono's `:id` for a part. */
  path: string;
  /** Answers without a token. */
  open?: true;
  handle(c: ApiContext): Promise<Response> | Response;
}
