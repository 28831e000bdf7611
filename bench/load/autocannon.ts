// autocannon in a process of its own: the plan is in the file that its command line names, the result is one JSON line.

import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import type { LoadPlan, LoadResult } from './load.ts';

const plan = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as LoadPlan;
const fields = plan.fields.map((field) => {
  const colon = field.indexOf(':');
  return [field.slice(0, colon), field.slice(colon + 1).trim()] as const;
});
const cookies = plan.cookies.length === 0 ? [null] : plan.cookies;
const result = await autocannon({
  url: `http://127.0.0.1:${plan.port}`,
  connections: plan.connections,
  duration: plan.seconds,
  requests: cookies.map((cookie) => ({
    method: plan.method,
    path: plan.path,
    headers: { ...Object.fromEntries(fields), ...(cookie === null ? {} : { cookie }) },
    ...(plan.body === null ? {} : { body: 'u'.repeat(plan.body.bytes) }),
  })),
});
const seen: LoadResult = {
  requests: result['2xx'],
  seconds: result.duration,
  failed: result.non2xx + result.errors + result.timeouts,
};
process.stdout.write(JSON.stringify(seen));
