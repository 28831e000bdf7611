// Previews of versions (core/preview.ts): makes their links for operators, and answers under /.lockstep/preview, where a link
// becomes a cookie. It joins parts, so it stands beside main. Rules:
// - the claim in a link is a secret: audit log and events get its id, and the page that it leads to no Referer with it;
// - a link leads to a path of its own origin and nowhere else;
// - it is opened, as a page: no picture or frame on another site puts its visitors into a preview, or takes them out of one.

import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { PinCookie } from './core/pin-cookie.ts';
import type { CookiePolicy } from './core/policy.ts';
import {
  isPreviewable,
  PREVIEW_FIELD,
  PREVIEW_ID_BYTES,
  PREVIEW_PATH,
  PREVIEW_TARGET,
  type Preview,
  PreviewKeys,
  type PreviewScope,
  previewCookieName,
  previewedVersion,
} from './core/preview.ts';
import { type Refused, refuse } from './core/problem.ts';
import type { PreviewReport } from './core/status.ts';
import type { RoutingTable } from './core/table.ts';
import { sendProblem } from './inner/answers.ts';
import type { OwnHandler } from './inner/server.ts';

export interface PreviewWish {
  readonly version: string;
  readonly forMs: number;
  readonly scope: PreviewScope;
  /** Where the link leads: a path. */
  readonly to: string;
  /** Who asks, for the audit log. */
  readonly by: string;
}

export type PreviewOutcome = { readonly ok: true; readonly preview: PreviewReport } | Refused;

export interface PreviewPorts {
  readonly table: () => RoutingTable;
  /** To the audit log, and to who listens. */
  readonly note: (by: string, version: string, detail: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly wallMs: () => number;
}

export class Previews {
  readonly #ports: PreviewPorts;
  #keys: PreviewKeys;
  #cookie: CookiePolicy;

  constructor(secrets: readonly string[], cookie: CookiePolicy, ports: PreviewPorts) {
    this.#ports = ports;
    this.#keys = new PreviewKeys(secrets, cookie.name, cookie.domain);
    this.#cookie = cookie;
  }

  configure(secrets: readonly string[], cookie: CookiePolicy): void {
    this.#keys = new PreviewKeys(secrets, cookie.name, cookie.domain);
    this.#cookie = cookie;
  }

  async open({ version: id, forMs, scope, to, by }: PreviewWish): Promise<PreviewOutcome> {
    const { table, note, randomBytes, wallMs } = this.#ports;
    const version = table().versions.get(id);
    if (version === undefined || version.isDeleted) {
      return refuse('unknown-version', `No version ${id} is known. Put it first, with its upstreams.`);
    }
    if (!isPreviewable(version)) {
      return refuse(
        'not-previewable',
        `${id} is ${version.state}, and has nobody who would serve a preview.`,
      );
    }
    const nowMs = wallMs();
    const preview: Preview = {
      version: id,
      id: Buffer.from(randomBytes(PREVIEW_ID_BYTES)).toString('base64url'),
      issuedMs: nowMs,
      untilMs: nowMs + forMs,
      scope,
    };
    const until = new Date(preview.untilMs).toISOString();
    await note(by, id, { preview: preview.id, until, scope });
    const token = this.#keys.sign(preview);
    const link = `${PREVIEW_PATH}?t=${token}${to === '/' ? '' : `&to=${encodeURIComponent(to)}`}`;
    const isLink = scope === 'browser';
    const field = isLink ? null : `${PREVIEW_FIELD}: ${token}`;
    return {
      ok: true,
      preview: { id: preview.id, version: id, until, scope, link: isLink ? link : null, field },
    };
  }

  /** Of GET /.lockstep/preview. */
  readonly serve: OwnHandler = (request, answer) => {
    const { query, headers, isSecure } = request;
    if (isWithinForeignPage(headers)) {
      sendProblem(
        answer,
        403,
        'not-a-page',
        'Another site may link to a preview, not load it within its page.',
      );
      return;
    }
    const to = query.get('to') ?? '/';
    if (!PREVIEW_TARGET.test(to)) {
      sendProblem(answer, 400, 'bad-target', 'A preview leads to a path of its own site, such as /cart.');
      return;
    }
    if (query.get('end') === '1') {
      redirect(answer, to, this.#cookieFor(0).set('', isSecure));
      return;
    }
    const text = query.get('t') ?? '';
    const preview = this.#keys.verify(text);
    const nowMs = this.#ports.wallMs();
    const isOpen =
      preview?.scope === 'browser' && previewedVersion(preview, this.#ports.table().versions, nowMs) !== null;
    if (!isOpen) {
      sendProblem(
        answer,
        410,
        'preview-ended',
        'This preview has ended, or never was one. Ask for another link.',
      );
      return;
    }
    redirect(answer, to, this.#cookieFor(preview.untilMs - nowMs).set(text, isSecure));
  };

  /** As the pin's, in all but name and life. */
  #cookieFor(maxAgeMs: number): PinCookie {
    return new PinCookie({ ...this.#cookie, name: previewCookieName(this.#cookie.name), maxAgeMs });
  }
}

/** Who sends no fetch metadata is believed: browsers send it wherever they keep cookies from strangers. */
function isWithinForeignPage(headers: IncomingHttpHeaders): boolean {
  const { 'sec-fetch-site': site, 'sec-fetch-dest': dest } = headers;
  return (site === 'cross-site' || site === 'same-site') && dest !== 'document';
}

function redirect(answer: ServerResponse, to: string, cookie: string): void {
  answer.writeHead(303, {
    Location: to,
    'Set-Cookie': cookie,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'Content-Length': 0,
  });
  answer.end();
}
