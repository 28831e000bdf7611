// The usual scene: versions v1 and v2, one server each, v1 active, and a gateway in the test's own process whose pin
// key the test knows, so that it can sign pins of any age, and forge others.

import { randomBytes } from 'node:crypto';
import { newSessionId, PinKeys, signPin } from '../../src/core/pin.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import type { GatewaySettings } from './gateway-config.ts';
import { startUpstream, type Upstream, type UpstreamOptions } from './upstream.ts';

export const PIN_KEY = 'a key for tests that is long enough to be one';

export interface PinFields {
  readonly version: string;
  readonly session?: string;
  /** Ms since the Unix epoch; default now. */
  readonly first?: number;
  readonly seen?: number;
  /** Default PIN_KEY, `lockstep`, no domain. */
  readonly key?: string;
  readonly cookieName?: string;
  readonly domain?: string | null;
}

/** The value of a pin cookie. */
export function pinOf(fields: PinFields): string {
  const { version, session = newSessionId(randomBytes(12)), seen = Date.now(), first = seen } = fields;
  const keys = new PinKeys([fields.key ?? PIN_KEY], fields.cookieName ?? 'lockstep', fields.domain ?? null);
  return signPin(keys, { version, session, first, seen, upstream: '' });
}

export interface TwoVersions {
  readonly v1: Upstream;
  readonly v2: Upstream;
  readonly gateway: TestGateway;
  stop(): Promise<void>;
}

export async function startTwoVersions(
  settings: GatewaySettings = {},
  handle?: UpstreamOptions['handle'],
): Promise<TwoVersions> {
  const more = handle === undefined ? {} : { handle };
  const [v1, v2] = await Promise.all([
    startUpstream({ version: 'v1', ...more }),
    startUpstream({ version: 'v2', ...more }),
  ]);
  try {
    const gateway = await startGateway({
      versions: { v1: [v1.url], v2: [v2.url] },
      active: 'v1',
      ...settings,
      cookie: { keys: [PIN_KEY], ...settings.cookie },
    });
    return {
      v1,
      v2,
      gateway,
      stop: async () => {
        await gateway.stop();
        await Promise.all([v1.stop(), v2.stop()]);
      },
    };
  } catch (error) {
    await Promise.all([v1.stop(), v2.stop()]);
    throw error;
  }
}
