// Assets that nobody has asked for yet, fetched ahead (`assets.warm`): the documents of a version are read once it is found
// healthy, and what they load is handed to the keeper, and what that loads in turn, one level deep. Bounded in number and octets.

import type { SeenAsset } from '../core/asset-answer.ts';
import type { AssetMatch } from '../core/asset-match.ts';
import type { AssetAsker } from './asker.ts';

export interface AheadWish {
  /** Documents to begin with. */
  readonly paths: readonly string[];
  /** As clients name the application; none: nobody has asked yet, and the server's own address is used. */
  readonly hosts: readonly string[];
  readonly scheme: 'http' | 'https';
}

export interface AheadPorts {
  readonly asker: AssetAsker;
  readonly match: () => AssetMatch;
  readonly serversOf: (version: string) => readonly string[];
  readonly onFound: (asset: SeenAsset) => void;
}

const MOST_ASSETS = 500;
/** Of one document, script or style sheet that is read for its links. */
const MOST_OCTETS = 4 * 1_048_576;
/** Of all of them, for one version. */
const MOST_READ = 64 * 1_048_576;
const MOST_REDIRECTS = 3;
const FETCH_MS = 15_000;
/** A version whose documents cannot be had is tried again when something changes, so often. */
const ATTEMPTS = 3;

interface Page {
  readonly text: string;
  readonly contentType: string;
  readonly target: string;
}

export class Ahead {
  readonly #ports: AheadPorts;
  /** Attempts by version. */
  readonly #attempts = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(ports: AheadPorts) {
    this.#ports = ports;
  }

  /** Begins with those that were not read yet; forgets those that are no more. */
  look(versions: readonly string[], wish: AheadWish): void {
    for (const known of this.#attempts.keys()) if (!versions.includes(known)) this.#attempts.delete(known);
    for (const version of versions) {
      const attempts = this.#attempts.get(version) ?? 0;
      if (attempts >= ATTEMPTS || this.#stop.signal.aborted) continue;
      this.#attempts.set(version, ATTEMPTS);
      const done = this.#read(version, wish)
        .then((isRead) => {
          if (!isRead && this.#attempts.has(version)) this.#attempts.set(version, attempts + 1);
        })
        .finally(() => this.#underWay.delete(done));
      this.#underWay.add(done);
    }
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#underWay);
  }

  /** False: no document could be had. Never rejects. */
  async #read(version: string, { paths, hosts, scheme }: AheadWish): Promise<boolean> {
    const { linksOfDocument, linksOfScript, linksOfStyle } = await import('./links.ts');
    let isRead = false;
    for (const host of hosts.length === 0 ? [''] : hosts) {
      const found = new Set<string>();
      let octets = 0;
      const read = async (target: string) => {
        const page = octets > MOST_READ ? null : await this.#fetch({ version, host, target, scheme });
        octets += page?.text.length ?? 0;
        return page;
      };
      const documents = (await Promise.all(paths.map(read))).filter((page) => page !== null);
      isRead ||= documents.length > 0;
      const first = documents.flatMap(({ text, target }) => linksOfDocument(text, urlOf(target)));
      this.#take(first, found, { version, host, scheme });
      for (const target of [...found]) {
        if (!/\.(?:m?js|css)(?:\?|$)/.test(target)) continue;
        const page = await read(target);
        if (page === null) continue;
        const isStyle = page.contentType.startsWith('text/css') || /\.css(?:\?|$)/.test(target);
        const links = isStyle
          ? linksOfStyle(page.text, urlOf(target))
          : linksOfScript(page.text, urlOf(target));
        this.#take(links, found, { version, host, scheme });
      }
    }
    return isRead;
  }

  #take(links: readonly string[], found: Set<string>, of: Omit<SeenAsset, 'target'>): void {
    for (const target of links) {
      if (found.size >= MOST_ASSETS) return;
      if (found.has(target) || this.#ports.match().kindOf(target) === null) continue;
      found.add(target);
      this.#ports.onFound({ ...of, target });
    }
  }

  /** Null when it is not to be had, or too large. */
  async #fetch(asset: SeenAsset): Promise<Page | null> {
    let { target } = asset;
    try {
      for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
        const [server] = this.#ports.serversOf(asset.version);
        if (server === undefined) return null;
        const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(FETCH_MS)]);
        const fields = { accept: 'text/html,*/*', 'accept-encoding': 'identity' };
        const answer = await this.#ports.asker.ask(
          server,
          { ...asset, target, method: 'GET', fields },
          signal,
        );
        const { location } = answer.fields;
        if (answer.status >= 300 && answer.status < 400 && location !== undefined) {
          answer.body.destroy();
          target = onSameHost(location, target, asset.host);
          if (target === '') return null;
          continue;
        }
        if (answer.status !== 200) {
          answer.body.destroy();
          return null;
        }
        const pieces: Buffer[] = [];
        let octets = 0;
        for await (const piece of answer.body as AsyncIterable<Buffer>) {
          octets += piece.length;
          if (octets > MOST_OCTETS) return null;
          pieces.push(piece);
        }
        const contentType = (answer.fields['content-type'] ?? '').toLowerCase();
        return { text: Buffer.concat(pieces).toString(), contentType, target };
      }
    } catch {
      // Nobody waits for it.
    }
    return null;
  }
}

/** An origin of its own: only paths on the same one are followed. */
function urlOf(target: string): URL {
  return new URL(target, 'http://same.invalid');
}

/** '' for anywhere else. */
function onSameHost(location: string, target: string, host: string): string {
  const base = urlOf(target);
  if (!URL.canParse(location, base)) return '';
  const url = new URL(location, base);
  return url.host === base.host || url.host === host ? `${url.pathname}${url.search}` : '';
}
