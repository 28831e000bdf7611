// `option forwardfor`: whose X-Forwarded-* is believed.

import type { Entry } from './entry.ts';
import { toNetwork } from './network.ts';
import type { Findings } from './place.ts';
import { type ProxySection, settingOf, valuesOf } from './proxies.ts';

/** Networks that come with an X-Forwarded-For of their own. */
export function readTrustedProxies(proxies: readonly ProxySection[], findings: Findings): Entry | null {
  for (const proxy of proxies) {
    const option = settingOf(proxy, 'option forwardfor');
    if (option === null) continue;
    const values = valuesOf(option, 'option forwardfor');
    const after = (name: string) => {
      const at = values.indexOf(name);
      return at === -1 ? null : (values[at + 1] ?? '');
    };
    const name = after('header');
    if (name !== null && name.toLowerCase() !== 'x-forwarded-for') {
      findings.note(
        option,
        'changed',
        'option forwardfor',
        `the address is sent as x-forwarded-for, not as ${name}`,
      );
    }
    if (values.includes('if-none')) {
      const why =
        'HAProxy believes the X-Forwarded-For of every client; name the load balancers in front in trustedProxies';
      findings.note(option, 'changed', 'option forwardfor', why);
    }
    const except = after('except');
    const network = except === null ? null : toNetwork(except);
    if (except !== null && network === null) {
      findings.note(option, 'left-out', 'option forwardfor', `${JSON.stringify(except)} is no network`);
    }
    if (network !== null) {
      findings.carry(option);
      return { key: 'trustedProxies', value: [network], from: option, says: 'option forwardfor except' };
    }
  }
  return null;
}
