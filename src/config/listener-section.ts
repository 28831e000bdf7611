// One of `listen`, written as a mapping.

import * as z from 'zod';
import { cidr, listenAddress } from './addresses.ts';
import { mapping } from './mapping.ts';
import { FILE_NAME, field } from './readers.ts';

export const LISTENER = mapping({
  address: field(listenAddress).describe('Where to listen; port 0 takes a free one.'),
  tls: mapping({
    cert: field(FILE_NAME).describe('PEM file with the certificate and its chain.'),
    key: field(FILE_NAME).describe('PEM file with its private key.'),
  })
    .nullable()
    .default(null)
    .describe('Speak TLS on this address.'),
  proxyProtocol: z
    .array(field(cidr))
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'Networks whose connections begin with a PROXY header (v1 or v2), before TLS, and must; others say nothing of the kind. null: nobody’s do.',
    ),
});
