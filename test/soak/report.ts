// What a soak found, as a table for people; as JSON it is the report itself.

import type { DeployCounts } from './deploys.ts';
import type { Outcome, Rule } from './rules.ts';
import type { VitalFigures, VitalName, VitalSample } from './vitals.ts';

export interface SoakReport {
  readonly seed: number;
  readonly seconds: number;
  readonly requests: number;
  /** By what was asked and the rule that allows what became of it. */
  readonly allowed: Readonly<Record<Outcome['what'], Partial<Record<Rule, number>>>>;
  readonly faults: readonly string[];
  readonly skewed: number;
  readonly deploys: DeployCounts;
  readonly refusedChanges: readonly string[];
  readonly vitals: readonly VitalFigures[];
  /** Under load; what the lines go through. */
  readonly samples: readonly VitalSample[];
  /** Of the gateway, when everybody had left: what should be 0 and is not. */
  readonly left: Readonly<Record<string, number>>;
  /** What the gateway wrote of faults of its own. */
  readonly complaints: string;
  readonly passed: boolean;
}

const MIB = 1_048_576;
const SHOWN_FAULTS = 20;

export function reportText(report: SoakReport): string {
  const { seed, seconds, requests, faults, skewed, deploys, refusedChanges, left } = report;
  return [
    `soak: seed ${seed}, ${Math.round(seconds)} s, ${requests} outcomes, ${Math.round(requests / seconds)} a second`,
    ...Object.entries(report.allowed).map(
      ([what, rules]) =>
        `  ${what.padEnd(12)}${Object.entries(rules)
          .map(([rule, n]) => `${rule} ${n}`)
          .join(', ')}`,
    ),
    `  deploys     ${Object.entries(deploys)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')}`,
    '',
    ...vitalRows(report.vitals),
    '',
    `skewed: ${skewed}; not allowed: ${faults.length}; refused changes: ${refusedChanges.length}; left behind: ${leftText(left)}`,
    ...faults.slice(0, SHOWN_FAULTS).map((fault) => `  ${fault}`),
    ...refusedChanges.map((refused) => `  ${refused}`),
    ...(report.complaints === '' ? [] : ['the gateway wrote:', report.complaints]),
    report.passed ? 'passed' : `FAILED; repeat it with --seed ${seed} --seconds ${Math.round(seconds)}`,
  ].join('\n');
}

function vitalRows(vitals: readonly VitalFigures[]): string[] {
  const rows = [
    ['', 'least', 'mean', 'most', 'slope/min', 'rise', 'may rise', 'rest before', 'after', 'at most', ''],
    ...vitals.map((vital) => {
      const show = (value: number): string => shown(vital.name, value);
      const { name, least, mean, most, perMinute, rise, isFlat } = vital;
      return [
        name,
        ...[least, mean, most, perMinute, rise, vital.allowedRise].map(show),
        ...[vital.atRestBefore, vital.atRestAfter, vital.allowedAtRest].map(show),
        isFlat ? 'flat' : 'NOT FLAT',
      ];
    }),
  ];
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  '),
  );
}

function shown(name: VitalName, value: number): string {
  return name.endsWith('Bytes') ? `${(value / MIB).toFixed(2)} MiB` : value.toFixed(1);
}

function leftText(left: Readonly<Record<string, number>>): string {
  const some = Object.entries(left).map(([name, n]) => `${name} ${n}`);
  return some.length === 0 ? 'nothing' : some.join(', ');
}
