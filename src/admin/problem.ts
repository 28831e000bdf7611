// Every refusal of the admin API is an application/problem+json (RFC 9457) with a stable `code`: one class to throw,
// one function that makes the document, one that maps what fastify and Node refuse by themselves.
// Rules: no value of a header and no query string is ever repeated in a detail, because tokens end up there.

// Not imported: see test/unit/start.test.ts.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

/** One wrong value of a request. */
export interface ValueProblem {
  /** `weight`, `upstreams[1]`; '' for the whole. */
  readonly path: string;
  /** `expected …, got …` */
  readonly message: string;
}

export interface ProblemDocument {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly ValueProblem[];
}

export const PROBLEM_TYPE = 'application/problem+json';

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: readonly ValueProblem[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    detail: string,
    more: { errors?: readonly ValueProblem[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
}

export function problemDocument(problem: ApiProblem): ProblemDocument {
  return {
    type: 'about:blank',
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    ...(problem.errors.length > 0 && { errors: problem.errors }),
  };
}

export function badValue(errors: readonly ValueProblem[]): ApiProblem {
  const told = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  return new ApiProblem(400, 'bad-value', `${told.join('; ')}.`, { errors });
}

export function unknownVersion(id: string): ApiProblem {
  return new ApiProblem(404, 'unknown-version', `There is no version ${id}. GET /v1/status lists them.`);
}

/** What fastify refused; null for what is no fault of the client's. */
export function fromFrameworkError(error: {
  readonly code?: unknown;
  readonly statusCode?: unknown;
}): ApiProblem | null {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiProblem(413, 'body-too-large', 'A body may have 64 KiB.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ApiProblem(415, 'not-json', 'Send the body with Content-Type: application/json.');
    case 'FST_ERR_BAD_URL':
      return new ApiProblem(400, 'malformed', 'The path is not well encoded.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new ApiProblem(414, 'uri-too-long', 'A part of the path is too long.');
    default:
      return error.statusCode === 400
        ? new ApiProblem(400, 'malformed', 'The request body did not arrive whole.')
        : null;
  }
}

/** What Node's parser refused, before there was a request. */
export function fromClientError(code: string): ApiProblem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ApiProblem(431, 'head-too-large', 'The request head is too large.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiProblem(408, 'slow-request', 'The request did not arrive in time.');
    default:
      return new ApiProblem(400, 'malformed', 'The request is malformed.');
  }
}
