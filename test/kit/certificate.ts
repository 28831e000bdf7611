// A certificate that signs itself, for a listener with TLS: made by openssl (`needsTool('openssl')`).

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool } from './tools.ts';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificate itself. */
  readonly pem: string;
}

/** Two files in the folder, which the caller removes. */
export function makeCertificate(folder: string): Certificate {
  const keyFile = join(folder, 'key.pem');
  const certFile = join(folder, 'cert.pem');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync(
    findTool('openssl')!,
    ['req', ...kind, '-subj', '/CN=localhost', '-keyout', keyFile, '-out', certFile],
    { stdio: 'ignore' },
  );
  return { certFile, keyFile, pem: readFileSync(certFile, 'utf8') };
}
