// A browser that takes one certificate of our own as good, for scenes by TLS: see chromium.ts on why it must be trusted.

import { type Certificate, makeCertificate } from './certificate.ts';
import { startChromium, type TestBrowser } from './chromium.ts';
import { temporaryFolder } from './gateway-config.ts';

export interface TrustingBrowser {
  readonly browser: TestBrowser;
  readonly certificate: Certificate;
  stop(): Promise<void>;
}

export async function startTrustingBrowser(): Promise<TrustingBrowser> {
  const folder = await temporaryFolder('certificate');
  try {
    const certificate = makeCertificate(folder.path);
    const browser = await startChromium({ trusts: [certificate.pem] });
    const stop = async (): Promise<void> => {
      await browser.stop();
      await folder.remove();
    };
    return { browser, certificate, stop };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}
