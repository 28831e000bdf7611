// Listeners with TLS on every engine: requests, pins, WebSockets, and what the application is told of them.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { findTool, needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryParser } from './engines.ts';
import { type Scene, startScene } from './scene.ts';

onEveryParser((engine) => {
  describe.skipIf(!needsTool('openssl'))('a client that comes by TLS', () => {
    let folder: TemporaryFolder;
    let app: Upstream;
    let scene: Scene;
    beforeAll(async () => {
      folder = await temporaryFolder('tls');
      const keyFile = join(folder.path, 'key.pem');
      const certFile = join(folder.path, 'cert.pem');
      const files = ['-keyout', keyFile, '-out', certFile];
      const kind = [
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
      ];
      execFileSync(findTool('openssl')!, ['req', ...kind, '-subj', '/CN=localhost', ...files], {
        stdio: 'ignore',
      });
      app = await startUpstream({ version: 'v1' });
      scene = await startScene(engine, { versions: { v1: [app.address] }, tls: { certFile, keyFile } });
    });
    afterAll(async () => {
      await scene?.stop();
      await app?.stop();
      await folder?.remove();
    });
    const client = async (): Promise<{ socket: TLSSocket; text: () => string }> => {
      const socket = connectTls({ host: scene.host, port: scene.port, rejectUnauthorized: false });
      let text = '';
      socket.on('data', (data: Buffer) => {
        text += data.toString('latin1');
      });
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      return { socket, text: () => text };
    };

    test('gets a secure pin, and the application is told of TLS', async () => {
      const { socket, text } = await client();
      socket.write(
        'GET / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\r\n',
      );
      await waitFor(() => text().includes('</html>'), { what: 'the document' });
      expect(text()).toMatch(/^HTTP\/1\.1 200 /);
      expect(text()).toMatch(/\r\nSet-Cookie: lockstep=[^\r]*; HttpOnly; Secure; SameSite=None\r\n/i);
      expect(app.requests.at(-1)!.headers['x-forwarded-proto']).toBe('https');
      socket.destroy();
      await waitFor(() => scene.engine.stats().clientConnections === 0, {
        what: 'the client to be forgotten',
      });
    });

    test('opens a WebSocket, which is closed with 1012', async () => {
      const { socket, text } = await client();
      const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13';
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: a\r\n${fields}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      await waitFor(() => text().includes('"v1"'), { what: 'the greeting' });
      scene.engine.closeStreams('v1', 'all', 0);
      await waitFor(() => text().endsWith('\x88\x02\x03\xf4'), { what: 'the close frame' });
      await waitFor(() => socket.destroyed || socket.readableEnded, { what: 'the end' });
      socket.destroy();
      await waitFor(() => scene.engine.stats().upstreamConnections === 0, {
        what: 'the upstream’s side to end',
      });
    });

    test('sees the cut of an answer that breaks off', async () => {
      const { socket, text } = await client();
      socket.write('GET /bytes?n=50000000 HTTP/1.1\r\nHost: a\r\n\r\n');
      await waitFor(() => text().length > 100_000, { what: 'some of it' });
      scene.engine.abortVersion('v1');
      await waitFor(() => socket.destroyed || socket.readableEnded, { what: 'the end' });
      expect(text().length).toBeLessThan(50_000_000);
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ failure: 'cut-off' });
    });
  });
});
