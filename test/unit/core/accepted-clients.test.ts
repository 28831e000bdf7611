import { describe, expect, it } from 'vitest';
import { acceptedIds, namesClients } from '../../../src/core/accepted-clients.ts';

const IDS = ['v1', 'v2', '1.4.0', 'v1.5.2', '1.6.0-rc.1', '2.0.0', '2026-11-26', 'main'];

describe('accepted clients', () => {
  it.each([
    { name: 'an id, to the letter', accepted: ['v1'], want: ['v1', '1.4.0', 'v1.5.2'] },
    { name: 'an id that is no range', accepted: ['main'], want: ['main'] },
    { name: 'a caret range', accepted: ['^1.4'], want: ['1.4.0', 'v1.5.2'] },
    { name: 'a range that names a pre-release', accepted: ['>=1.6.0-rc.0 <2'], want: ['1.6.0-rc.1'] },
    { name: 'bounds', accepted: ['>=1.5 <2'], want: ['v1.5.2'] },
    { name: 'everything that is semver', accepted: ['*'], want: ['1.4.0', 'v1.5.2', '2.0.0'] },
    { name: 'several', accepted: ['v2', '2.x'], want: ['v2', '2.0.0'] },
    { name: 'one that nobody knows', accepted: ['v9', '^7'], want: [] },
    { name: 'nothing', accepted: [], want: [] },
  ])('are, of $name, $want', ({ accepted, want }) => {
    expect(acceptedIds('own', accepted, IDS)).toEqual(want);
  });

  it('are never its own', () => {
    expect(acceptedIds('1.4.0', ['^1.4'], IDS)).toEqual(['v1.5.2']);
  });

  it.each(['v1', '^1.2', '>=1.2 <2', '1.x || 3.x', '*', '1.2.3 - 1.4', 'main'])('%s names some', (text) => {
    expect(namesClients(text)).toBe(true);
  });

  it.each(['not a range', '../v1', '>', 'x'.repeat(200), `>=${'1'.repeat(200)}`])('%s names none', (text) => {
    expect(namesClients(text)).toBe(false);
  });
});
