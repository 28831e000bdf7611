// Who listens for what becomes of a version: told once, told again when that changes, dropped when nobody reads.

import { EventEmitter } from 'node:events';
import { IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { PageIdentity, PageState } from '../../../src/core/page-state.ts';
import { ownRequest } from '../../../src/inner/own-request.ts';
import { PageEvents, type PageEventsPorts } from '../../../src/inner/page-events.ts';
import { waitFor } from '../../kit/wait-for.ts';

class FakeAnswer extends EventEmitter {
  status = 0;
  written: string[] = [];
  writableLength = 0;
  isDestroyed = false;
  writeHead(status: number): this {
    this.status = status;
    return this;
  }
  write(text: string): boolean {
    this.written.push(text);
    return true;
  }
  end(text = ''): void {
    if (text !== '') this.written.push(text);
    this.emit('close');
  }
  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

function listening(more: Partial<PageEventsPorts> = {}) {
  let newest = 'v1';
  let asked = 0;
  const state = ({ page, session }: PageIdentity): PageState => {
    asked++;
    return {
      page,
      session,
      newest,
      state: page === newest ? 'active' : 'draining',
      endsAt: null,
      update: null,
      gone: false,
      moves: false,
    };
  };
  const events = new PageEvents({
    state,
    isKnown: (version) => /^v\d$/.test(version),
    most: () => 10_000,
    heartbeatMs: () => 60_000,
    random: () => 0.5,
    ...more,
  });
  const open = (page: string, method = 'GET') => {
    const message = new IncomingMessage(new Socket());
    Object.assign(message, { method, url: '/.lockstep/events', headers: { 'x-lockstep-page': page } });
    const answer = new FakeAnswer();
    events.open(ownRequest(message), answer as unknown as ServerResponse);
    return answer;
  };
  const activate = (id: string) => {
    newest = id;
    events.changed();
  };
  return { events, open, activate, asked: () => asked };
}

const newestOf = (text: string): string => JSON.parse(/^data: (.*)$/m.exec(text)![1]!).newest;

describe('a page that listens', () => {
  it('is told its state at once, and when to come again', () => {
    const { open } = listening();
    const { written, status } = open('v1');
    expect(status).toBe(200);
    expect(written).toEqual([
      'retry: 3000\nevent: state\ndata: {"page":"v1","session":null,"newest":"v1","state":"active","endsAt":null,"update":null,"gone":false,"moves":false}\n\n',
    ]);
  });

  it('is told again when that has changed, and only then', () => {
    const { open, activate } = listening();
    const page = open('v1');
    activate('v1');
    expect(page.written).toHaveLength(1);
    activate('v2');
    expect(page.written).toHaveLength(2);
    expect(newestOf(page.written[1]!)).toBe('v2');
  });

  it('costs no computation of its own: one for all of a version', () => {
    const { open, activate, asked } = listening();
    for (let i = 0; i < 100; i++) open(i % 2 === 0 ? 'v1' : 'v2');
    expect(asked()).toBe(2);
    activate('v3');
    expect(asked()).toBe(4);
  });

  it('of a version that is not known counts as one that says none, so that ids cannot be made up for each', () => {
    const { open, activate, asked } = listening();
    const pages = Array.from({ length: 100 }, (_, i) => open(`made-up-${i}`));
    activate('v2');
    expect(asked()).toBe(2);
    expect(pages.every(({ written }) => written.length === 2)).toBe(true);
    expect(pages[0]!.written[1]).toContain('"page":null,"session":null,"newest":"v2"');
  });

  it('hears the latest, be there ever so many and change things ever so fast', async () => {
    const { open, activate } = listening();
    const pages = Array.from({ length: 2_300 }, () => open('v1'));
    activate('v2');
    // The first are told in the same turn, so that the rest is under way now.
    expect(pages.filter(({ written }) => written.length === 2)).toHaveLength(500);
    activate('v3');
    activate('v4');
    await waitFor(() => pages.every(({ written }) => newestOf(written.at(-1)!) === 'v4'), {
      what: 'all pages to know v4',
    });
    expect(Math.max(...pages.map(({ written }) => written.length))).toBe(3);
  });

  it('is dropped when it does not read, and nobody else is', () => {
    const { events, open, activate } = listening();
    const [reader, sleeper] = [open('v1'), open('v1')];
    sleeper.writableLength = 65_537;
    activate('v2');
    expect([reader.isDestroyed, sleeper.isDestroyed]).toEqual([false, true]);
    expect(reader.written).toHaveLength(2);
    expect(events.size).toBe(1);
  });

  it('is one of so many: who comes later is refused, until one leaves', () => {
    const { open } = listening({ most: () => 2 });
    const first = open('v1');
    open('v1');
    const late = open('v1');
    expect([late.status, JSON.parse(late.written[0]!).code]).toEqual([503, 'too-many-listeners']);
    first.emit('close');
    expect(open('v1').status).toBe(200);
  });

  it('hears a sign of life when there is nothing to tell', async () => {
    const { events, open } = listening({ heartbeatMs: () => 20 });
    const { written } = open('v1');
    await waitFor(() => written.length >= 3, { what: 'two signs of life' });
    expect(written.slice(1, 3)).toEqual([':\n\n', ':\n\n']);
    events.close();
  });

  it('ends when all do', () => {
    const { events, open } = listening();
    let ended = 0;
    for (const page of [open('v1'), open('v2')]) page.on('close', () => ended++);
    events.close();
    expect([ended, events.size]).toEqual([2, 0]);
  });

  it('that asks with HEAD gets a head, and no stream', () => {
    const { events, open } = listening();
    expect(open('v1', 'HEAD').written).toEqual([]);
    expect(events.size).toBe(0);
  });
});
