// What pins care about in an answer's head, gathered in one pass over its fields.

import type { AnswerFacts } from '../core/steering.ts';
import { FIELD } from '../engine/field-names.ts';
import type { ResponseHead } from './response-head.ts';

export function readAnswer(head: ResponseHead): AnswerFacts {
  const { fields } = head;
  let contentType = '';
  let cacheControl = '';
  let expires = '';
  let contentDisposition = '';
  for (let i = 0; i < fields.count; i++) {
    switch (fields.ids[i]) {
      case FIELD.CONTENT_TYPE:
        contentType = fields.value(i);
        break;
      case FIELD.CACHE_CONTROL:
        cacheControl = cacheControl === '' ? fields.value(i) : `${cacheControl}, ${fields.value(i)}`;
        break;
      case FIELD.EXPIRES:
        expires = fields.value(i);
        break;
      case FIELD.CONTENT_DISPOSITION:
        contentDisposition = fields.value(i);
        break;
    }
  }
  return { status: head.status, contentType, cacheControl, expires, contentDisposition };
}
