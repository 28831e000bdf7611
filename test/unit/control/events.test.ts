import { describe, expect, it } from 'vitest';
import { Events } from '../../../src/control/events.ts';

describe('events', () => {
  it('have ids that go up and are remembered, oldest first', () => {
    const events = new Events(() => 0);
    for (const version of ['v1', 'v2', 'v3']) events.tell('put', version);
    expect(events.since(1).map(({ id, version, time }) => [id, version, time])).toEqual([
      [2, 'v2', '1970-01-01T00:00:00.000Z'],
      [3, 'v3', '1970-01-01T00:00:00.000Z'],
    ]);
  });

  it('are forgotten beyond the last thousand', () => {
    const events = new Events(() => 0);
    for (let count = 0; count < 1_500; count++) events.tell('put', 'v1');
    const ids = events.since(0).map(({ id }) => id);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([1000, 501, 1500]);
  });

  it('reach every listener until it leaves, whatever another one does', () => {
    const events = new Events(() => 0);
    const heard: string[] = [];
    events.subscribe(() => {
      throw new Error('a broken listener');
    });
    const leave = events.subscribe(({ type }) => {
      heard.push(type);
      leave();
    });
    events.subscribe(({ type }) => heard.push(`also ${type}`));
    events.tell('put', 'v1');
    events.tell('promoted', 'v1');
    expect(heard).toEqual(['put', 'also put', 'also promoted']);
  });
});
