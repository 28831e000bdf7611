// npm run compare: brings the same farm from V1 to V2 in each way there is, the old ones behind HAProxy and those with
// Lockstep, while the same people use it, and writes what it cost them as the table of docs/haproxy.md. About six minutes.
//
//   --people N (60)   --only TEXT (ways whose title has it)   --commands (what was typed, below the table)

import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { LOCKSTEP_WAYS } from '../../test/kit/deploys/lockstep-ways.ts';
import { OLD_WAYS } from '../../test/kit/deploys/old-ways.ts';
import { countDeploy, type Outcome } from '../../test/kit/deploys/way.ts';
import { findTool } from '../../test/kit/tools.ts';
import { commit, describeMachine } from '../machine.ts';

const { values } = parseArgs({
  options: {
    people: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    commands: { type: 'boolean', default: false },
  },
});
const people = Number(values.people);
const machine = describeMachine();
const outcomes: Outcome[] = [];
for (const way of [...OLD_WAYS, ...LOCKSTEP_WAYS].filter(({ title }) => title.includes(values.only))) {
  process.stderr.write(`${way.title}\n`);
  const outcome = await countDeploy(way, people);
  outcomes.push(outcome);
  for (const text of [...outcome.failures, ...outcome.skews]) process.stderr.write(`   ${text}\n`);
}
process.stdout.write(`${[...about(), ...table(), ...(values.commands ? typed() : [])].join('\n')}\n`);

function about(): readonly string[] {
  const haproxy = execFileSync(findTool('haproxy')!, ['-v'], { encoding: 'utf8' }).split(' ')[2];
  return [
    `${new Date().toISOString().slice(0, 10)}, commit ${commit()}, HAProxy ${haproxy}, ${people} people at a time, ` +
      `${machine.cores} × ${machine.cpu}, load average before ${machine.loadBefore.toFixed(1)}.`,
    '',
  ];
}

function table(): readonly string[] {
  return [
    '| way | requests | failed | skewed | carts lost | seconds | commands |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...outcomes.map(
      ({ title, requests, failed, skewed, holdsSessions, cartsLost, seconds, commands }) =>
        `| ${title} | ${requests} | ${failed} | ${skewed} | ${holdsSessions ? cartsLost : '–'} | ${seconds.toFixed(0)} | ${commands.length} |`,
    ),
  ];
}

function typed(): readonly string[] {
  return outcomes.flatMap(({ title, commands }) => ['', `${title}:`, '', '```', ...commands, '```']);
}
