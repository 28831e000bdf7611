import { beforeEach, describe, expect, test } from 'vitest';
import { Gauges } from '../../../src/core/gauges.ts';
import { type Waiter, WaitingRoom } from '../../../src/engine/waiting-room.ts';

let room: WaitingRoom;
let gauges: Gauges;
let looked: string[];
beforeEach(() => {
  gauges = new Gauges();
  room = new WaitingRoom(gauges, 1);
  looked = [];
});

/** `takes`: whether it leaves when it looks. */
function waiter(
  name: string,
  { takes = () => false, isChoosy = false }: { takes?: () => boolean; isChoosy?: boolean } = {},
): Waiter {
  const self: Waiter = {
    isChoosy,
    lookAgain: () => {
      looked.push(name);
      if (takes()) room.leave(self);
    },
  };
  return self;
}

describe('a queue', () => {
  test('is looked at from its head, as far as there is room', () => {
    let places = 2;
    const takes = () => places-- > 0;
    for (const name of ['a', 'b', 'c', 'd']) room.queue(waiter(name, { takes }), 1, 1_000);
    room.roomAt(1);
    expect([looked, gauges.versionQueued(1)]).toEqual([['a', 'b', 'c'], 2]);
  });

  test('of another version is left alone', () => {
    room.queue(waiter('a'), 1, 1_000);
    room.roomAt(2);
    expect([looked, room.isQueued(1), room.isQueued(2)]).toEqual([[], true, false]);
  });

  test('goes on behind one that could not take what is there', () => {
    room.queue(waiter('choosy', { isChoosy: true }), 1, 1_000);
    room.queue(waiter('next', { takes: () => true }), 1, 1_000);
    room.roomAt(1);
    expect([looked, gauges.versionQueued(1)]).toEqual([['choosy', 'next'], 1]);
  });

  test('keeps the place of one that queues again, and takes it away from one that changes versions', () => {
    const a = waiter('a');
    room.queue(a, 1, 1_000);
    room.queue(waiter('b'), 1, 1_000);
    room.queue(a, 1, 1_000);
    room.roomAt(1);
    expect(looked).toEqual(['a']);
    room.queue(a, 2, 1_000);
    expect([gauges.versionQueued(1), gauges.versionQueued(2)]).toEqual([1, 1]);
  });

  test('is not entered again by what ends while it is served', () => {
    const ending = waiter('a', {
      takes: () => {
        room.roomAt(1); // it was refused, say, and left
        return true;
      },
    });
    room.queue(ending, 1, 1_000);
    room.queue(waiter('b'), 1, 1_000);
    room.roomAt(1);
    expect(looked).toEqual(['a', 'b']);
  });

  test('is served again after one of its waiters threw', () => {
    room.queue({ isChoosy: false, lookAgain: () => expect.unreachable() }, 1, 1_000);
    expect(() => room.roomAt(1)).toThrow();
    expect(() => room.roomAt(1)).toThrow();
  });

  test('is counted down to nothing', () => {
    const all = ['a', 'b'].map((name) => waiter(name));
    for (const each of all) room.queue(each, 1, 1_000);
    for (const each of [...all, ...all]) room.leave(each);
    expect([gauges.versionQueued(1), room.isQueued(1)]).toEqual([0, false]);
  });
});

describe('with time', () => {
  test('heads look with each tick, the others when their time is up', () => {
    for (const name of ['a', 'b', 'c']) room.queue(waiter(name), 1, name === 'c' ? 500 : 1_000);
    room.check(400);
    expect(looked).toEqual(['a']);
    room.check(500);
    expect(looked).toEqual(['a', 'a', 'c']);
  });

  test('those that are held look when their time is up, or something changed', () => {
    room.hold(waiter('a'), 500);
    room.check(499);
    expect(looked).toEqual([]);
    room.check(500);
    room.lookAgain();
    room.roomAt(1);
    expect(looked).toEqual(['a', 'a']);
  });

  test('all look when something changed, a raised limit included', () => {
    room.hold(waiter('held'), 500);
    for (const name of ['a', 'b']) room.queue(waiter(name), 1, 1_000);
    room.setLimit(2);
    expect([looked, room.limit]).toEqual([['held', 'a', 'b'], 2]);
  });
});
