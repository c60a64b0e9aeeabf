import { z } from 'zod';
import { boolean, hostAndPort, httpUrl, path, text } from './parsers.ts';
import { setting } from './setting.ts';

/**
 * Where Temporal is. The names are those of Temporal's own environment configuration
 * (docs.temporal.io/references/client-environment-configuration), so that its CLI and ours agree.
 */
export function temporalSchema(cwd: string) {
  const variables = z.object({
    TEMPORAL_ADDRESS: setting(hostAndPort(), {
      about: 'HOST:PORT of the Temporal frontend. Set: that one is used and none is started here',
      default: null,
    }),
    TEMPORAL_NAMESPACE: setting(text(), { about: 'Temporal namespace', default: 'default' }),
    TEMPORAL_TASK_QUEUE: setting(text(), { about: 'Task queue of the workers', default: 'cutover' }),
    TEMPORAL_API_KEY: setting(text(), { about: 'API key of Temporal Cloud; turns TLS on', default: null, secret: true }),
    TEMPORAL_TLS: setting(boolean(), { about: 'TLS to Temporal. Unset: on where an API key or a certificate is given', default: null }),
    TEMPORAL_TLS_CLIENT_CERT_PATH: setting(path(cwd), { about: 'Client certificate for mTLS, PEM file', default: null }),
    TEMPORAL_TLS_CLIENT_KEY_PATH: setting(path(cwd), { about: 'Private key of that certificate, PEM file', default: null }),
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: setting(path(cwd), { about: "CA of the server's certificate, PEM file", default: null }),
    TEMPORAL_TLS_SERVER_NAME: setting(text(), { about: "Name expected in the server's certificate", default: null }),
    TEMPORAL_UI_URL: setting(httpUrl(), { about: 'Address of the Temporal web UI, for the links that are printed', default: null }),
  });
  const schema = variables.transform((v, context) => {
    const certificate = v.TEMPORAL_TLS_CLIENT_CERT_PATH;
    const key = v.TEMPORAL_TLS_CLIENT_KEY_PATH;
    if ((certificate === null) !== (key === null)) {
      const missing = certificate === null ? 'TEMPORAL_TLS_CLIENT_CERT_PATH' : 'TEMPORAL_TLS_CLIENT_KEY_PATH';
      context.addIssue({ code: 'custom', path: [missing], message: 'must be set too: mTLS needs the certificate and its key' });
    }
    const asked = v.TEMPORAL_API_KEY !== null || certificate !== null || v.TEMPORAL_TLS_SERVER_CA_CERT_PATH !== null;
    return {
      address: v.TEMPORAL_ADDRESS,
      namespace: v.TEMPORAL_NAMESPACE,
      taskQueue: v.TEMPORAL_TASK_QUEUE,
      apiKey: v.TEMPORAL_API_KEY,
      tls: v.TEMPORAL_TLS ?? asked,
      tlsClientCertPath: certificate,
      tlsClientKeyPath: key,
      tlsServerCaCertPath: v.TEMPORAL_TLS_SERVER_CA_CERT_PATH,
      tlsServerName: v.TEMPORAL_TLS_SERVER_NAME,
      uiUrl: v.TEMPORAL_UI_URL,
    };
  });
  return { title: 'Temporal', variables, schema };
}
