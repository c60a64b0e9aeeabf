import { readFile } from 'node:fs/promises';
import { Client, Connection, type TLSConfig } from '@temporalio/client';

import type { Config } from '../config/index.ts';
import { messageOf, ProviderUnavailableError, ValidationError } from '../domain/errors.ts';
import type { Tracing } from '../domain/tracing.ts';
import { tracedStarts } from './trace-header.ts';

export type TemporalSettings = Config['temporal'];

/** Address, TLS and API key, in the form that both the client's and the worker's connection take. */
export async function connectionOptions(temporal: TemporalSettings): Promise<{ address: string; apiKey?: string; tls?: TLSConfig }> {
  if (temporal.address === null)
    throw new ProviderUnavailableError('No Temporal server is known: run `npx cutover up` in this folder, or set TEMPORAL_ADDRESS', {
      code: 'temporal_unknown',
      provider: 'temporal',
    });
  const { tlsClientCertPath, tlsClientKeyPath, tlsServerCaCertPath, tlsServerName } = temporal;
  const pem = async (path: string, variable: string) => {
    try {
      return await readFile(path);
    } catch (error) {
      throw new ValidationError(`${variable}: ${path} cannot be read: ${messageOf(error)}`, {
        code: 'certificate_unreadable',
        cause: error,
      });
    }
  };
  const tls = {
    ...(tlsServerName === null ? {} : { serverNameOverride: tlsServerName }),
    ...(tlsServerCaCertPath === null
      ? {}
      : { serverRootCACertificate: await pem(tlsServerCaCertPath, 'TEMPORAL_TLS_SERVER_CA_CERT_PATH') }),
    ...(tlsClientCertPath === null || tlsClientKeyPath === null
      ? {}
      : {
          clientCertPair: {
            crt: await pem(tlsClientCertPath, 'TEMPORAL_TLS_CLIENT_CERT_PATH'),
            key: await pem(tlsClientKeyPath, 'TEMPORAL_TLS_CLIENT_KEY_PATH'),
          },
        }),
  };
  return {
    address: temporal.address,
    ...(temporal.tls ? { tls } : {}),
    ...(temporal.apiKey === null ? {} : { apiKey: temporal.apiKey }),
  };
}

/** A connected client; close its connection when done. Workflows that it starts within a trace belong to that. Throws ProviderUnavailableError, which says what to do. */
export async function connectTemporal(temporal: TemporalSettings, tracing?: Tracing): Promise<Client> {
  const options = await connectionOptions(temporal);
  try {
    const connection = await Connection.connect({ ...options, connectTimeout: '5 seconds' });
    const interceptors = tracing === undefined ? {} : { interceptors: { workflow: [tracedStarts(tracing)] } };
    return new Client({ connection, namespace: temporal.namespace, ...interceptors });
  } catch (error) {
    throw unreachable(temporal, error);
  }
}

export function unreachable({ address, embedded }: TemporalSettings, cause: unknown): ProviderUnavailableError {
  const todo = embedded
    ? 'The stack of this folder is not running: start it with `npx cutover up`'
    : 'Check TEMPORAL_ADDRESS, the TLS settings and TEMPORAL_API_KEY';
  return new ProviderUnavailableError(`Temporal at ${address} cannot be reached (${messageOf(cause)}). ${todo}.`, {
    code: 'temporal_unreachable',
    provider: 'temporal',
    retryable: true,
    cause,
  });
}
