// What routing and forwarding want to know of a request head, gathered in one pass over its fields.

import { NO_NAMED, type RequestFacts } from '../core/route.ts';
import { clientAddress, type TrustedProxies } from '../engine/client-address.ts';
import { equalsIgnoringCase, FIELD } from '../engine/field-names.ts';
import type { FieldBlock } from './field-block.ts';
import type { RequestHead } from './request-head.ts';

export interface Sender {
  /** Socket's peer address. */
  readonly peer: string;
  readonly isTls: boolean;
  readonly trusted: TrustedProxies;
  /** Fields that steering asks for by name. */
  readonly named: readonly string[];
}

/** What an exchange keeps of a head: the scratch head serves the next request soon. */
export interface ReadRequest {
  readonly facts: RequestFacts;
  readonly host: string;
  readonly minor: number;
  readonly hasBody: boolean;
  readonly isChunked: boolean;
  readonly keepsAlive: boolean;
  readonly expectsContinue: boolean;
  /** Gateways of ours that this request has passed. */
  readonly hops: number;
}

/** What goes up in X-Forwarded-*. */
export interface Forwarded {
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly forwardedHost: string;
  /** What it says with other X-Forwarded names goes on. */
  readonly isOfTrustedPeer: boolean;
}

export function readRequest(
  head: RequestHead,
  sender: Sender,
): { readonly request: ReadRequest; readonly forwarded: Forwarded } {
  const values = gather(head);
  const address = clientAddress({
    peer: sender.peer,
    forwardedFor: values.forwardedFor,
    forwardedProto: values.forwardedProto,
    forwardedHost: values.forwardedHost === '' ? head.host : values.forwardedHost,
    isTls: sender.isTls,
    trusted: sender.trusted,
  });
  const request = {
    facts: {
      method: head.method,
      target: head.target,
      cookie: values.cookie,
      tab: values.tab,
      secFetchDest: values.secFetchDest,
      secFetchMode: values.secFetchMode,
      secFetchSite: values.secFetchSite,
      secPurpose: values.secPurpose,
      accept: values.accept,
      userAgent: values.userAgent,
      acceptLanguage: values.acceptLanguage,
      clientIp: address.clientIp,
      isSecure: address.isSecure,
      isWebSocket: head.isWebSocket,
      named: sender.named.length === 0 ? NO_NAMED : namedValues(head.fields, sender.named),
    },
    host: head.host,
    minor: head.minor,
    hasBody: head.hasBody,
    isChunked: head.isChunked,
    keepsAlive: head.keepsAlive,
    expectsContinue: head.expectsContinue,
    hops: values.hops,
  };
  const { forwardedFor, forwardedProto, isOfTrustedPeer } = address;
  const forwardedHost = address.forwardedHost === '' ? head.host : address.forwardedHost;
  return { request, forwarded: { forwardedFor, forwardedProto, forwardedHost, isOfTrustedPeer } };
}

class Gathered {
  cookie = '';
  tab = '';
  secFetchDest = '';
  secFetchMode = '';
  secFetchSite = '';
  secPurpose = '';
  accept = '';
  userAgent = '';
  acceptLanguage = '';
  forwardedFor = '';
  forwardedProto = '';
  forwardedHost = '';
  hops = 0;
}

function gather(head: RequestHead): Gathered {
  const { fields } = head;
  const found = new Gathered();
  for (let i = 0; i < fields.count; i++) {
    switch (fields.ids[i]) {
      case FIELD.COOKIE:
        found.cookie = found.cookie === '' ? fields.value(i) : `${found.cookie}; ${fields.value(i)}`;
        break;
      case FIELD.X_LOCKSTEP_VERSION:
        found.tab = fields.value(i);
        break;
      case FIELD.SEC_FETCH_DEST:
        found.secFetchDest = fields.value(i);
        break;
      case FIELD.SEC_FETCH_MODE:
        found.secFetchMode = fields.value(i);
        break;
      case FIELD.SEC_FETCH_SITE:
        found.secFetchSite = fields.value(i);
        break;
      case FIELD.SEC_PURPOSE:
        found.secPurpose = fields.value(i);
        break;
      case FIELD.ACCEPT:
        found.accept = fields.value(i);
        break;
      case FIELD.USER_AGENT:
        found.userAgent = fields.value(i);
        break;
      case FIELD.ACCEPT_LANGUAGE:
        found.acceptLanguage = fields.value(i);
        break;
      case FIELD.X_FORWARDED_FOR:
        found.forwardedFor =
          found.forwardedFor === '' ? fields.value(i) : `${found.forwardedFor}, ${fields.value(i)}`;
        break;
      case FIELD.X_FORWARDED_PROTO:
        found.forwardedProto = fields.value(i);
        break;
      case FIELD.X_FORWARDED_HOST:
        found.forwardedHost = fields.value(i);
        break;
      case FIELD.X_LOCKSTEP_HOPS:
        found.hops = Math.max(found.hops, Number.parseInt(fields.value(i), 10) || 0);
        break;
    }
  }
  return found;
}

/** Of several fields of a name the last one counts, as of x-lockstep-version. */
function namedValues(fields: FieldBlock, names: readonly string[]): readonly string[] {
  return names.map((name) => {
    for (let i = fields.count - 1; i >= 0; i--) {
      const start = fields.nameStart[i]!;
      if (fields.nameEnd[i]! - start !== name.length) continue;
      if (equalsIgnoringCase(fields.text, start, name)) return fields.value(i);
    }
    return '';
  });
}
