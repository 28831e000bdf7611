// A gateway in the test's own process, on free ports, with a state directory of its own.

import { formatProblem, parseConfig } from '../../src/config/load.ts';
import { startGateway as startMain } from '../../src/main.ts';
import { type AdminClient, adminClient } from './admin-client.ts';
import { type GatewaySettings, gatewayYaml, temporaryFolder } from './gateway-config.ts';
import { httpRequest } from './http-request.ts';
import { waitFor } from './wait-for.ts';

export interface TestGateway {
  readonly host: string;
  readonly port: number;
  /** Origin of the data port. */
  readonly url: string;
  readonly admin: AdminClient;
  readonly stateDir: string;
  stop(graceMs?: number): Promise<void>;
}

/** Resolves when it is ready: listening, and the first round of health checks done. */
export async function startGateway(settings: GatewaySettings): Promise<TestGateway> {
  const temporary = settings.stateDir === undefined ? await temporaryFolder('state') : null;
  const stateDir = settings.stateDir ?? temporary!.path;
  const parsed = parseConfig(gatewayYaml(settings, stateDir), 'test.yaml', process.env);
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  const gateway = await startMain({ config: parsed.config });
  const { host, port } = gateway.addresses[0]!;
  const { adminUrl } = gateway;
  await waitFor(async () => (await httpRequest(`${adminUrl}/readyz`)).status === 200, {
    what: '/readyz to be 200',
  });
  return {
    host,
    port,
    url: `http://${host}:${port}`,
    admin: adminClient(adminUrl, settings.tokens?.[0]?.token ?? null),
    stateDir,
    stop: async (graceMs = 0) => {
      await gateway.stop(graceMs);
      await temporary?.remove();
    },
  };
}
