// The script of a page of the shop. Whatever the page gets says its build; each is held against the page's own, and what
// differs is kept in `shop.skewed` and said on the console. `shop` is what tests read and drive.

import { build as sharedBuild } from '__SHARED__';
import { vendor } from '__VENDOR__';

const page = document.documentElement.dataset;

const shop = {
  build: page.build,
  vendor,
  /** `what build` of everything that answered, oldest first. */
  answers: [],
  /** What is not of this page's build. */
  skewed: [],
  /** Elements whose load failed, and what went wrong in calls. */
  failed: [],
  /** What the gateway refused with x-lockstep-reload. */
  dead: [],
  /** Codes of closed WebSockets, and event streams that were given up. */
  closed: [],
  /** Events that came by the stream. */
  ticks: 0,
  /** What the gateway's script told: `soft`, `hard`, `gone`. */
  updates: [],
  /** Times this page came back from the back/forward cache. */
  restored: 0,
  isReady: false,
};
globalThis.shop = shop;

function check(what, build) {
  shop.answers.push(`${what} ${build}`);
  show();
  if (build === page.build) return;
  shop.skewed.push(`${what} of ${build} in a page of ${page.build}`);
  console.error(`skew: ${shop.skewed.at(-1)}`);
}

function fail(what) {
  shop.failed.push(what);
  console.error(`failed: ${what}`);
}

function show() {
  const list = document.getElementById('answers');
  list.textContent = shop.answers.slice(-8).join('\n');
}

/** A call whose answer is JSON with its build; null when the gateway says that this page's version is gone. */
shop.call = async (path, { method = 'GET', body } = {}) => {
  const answer = await fetch(path, {
    method,
    headers: { 'x-page-build': page.build, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return take(`${method} ${path}`, answer.status, answer.headers.get('x-lockstep-reload'), () =>
    answer.json(),
  );
};

/** The same as older code does it. */
shop.xhr = (path) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', path);
    request.setRequestHeader('x-page-build', page.build);
    request.onerror = () => reject(new Error(`${path} has no answer`));
    request.onload = () =>
      resolve(
        take(`XHR ${path}`, request.status, request.getResponseHeader('x-lockstep-reload'), () =>
          JSON.parse(request.responseText),
        ),
      );
    request.send();
  });

async function take(what, status, reload, read) {
  if (reload !== null) {
    shop.dead.push(what);
    return null;
  }
  if (status !== 200) {
    fail(`${what}: ${status}`);
    return null;
  }
  const value = await read();
  check(what, value.build);
  return value;
}

shop.addToCart = async (id) => {
  const answer = await shop.call('/api/cart', { method: 'POST', body: { id, quantity: 1 } });
  if (answer !== null) document.getElementById('cart').textContent = answer.lines.join(', ');
  return answer;
};

/** Parts that are only loaded when somebody wants them. */
const PARTS = { details: () => import('__DETAILS__'), extras: () => import('__EXTRAS__') };

shop.open = async (name) => {
  try {
    const part = await PARTS[name]();
    check(`part ${name}`, part.build);
    check(`shared of ${name}`, part.sharedBuild);
    part.show(document.getElementById('part'));
  } catch (error) {
    fail(`part ${name}: ${error}`);
  }
};

for (const button of document.querySelectorAll('button[data-part]')) {
  button.addEventListener('click', () => shop.open(button.dataset.part));
}

/** Streams, on pages that ask for them; without them a page may be kept for back and forward. */
shop.listen = () => {
  shop.stream = new EventSource(`/events?page-build=${page.build}`);
  shop.stream.addEventListener('hello', ({ data }) => check('event stream', JSON.parse(data).build));
  // A browser gives up a stream whose reconnection is refused.
  shop.stream.addEventListener('error', () => {
    if (shop.stream.readyState === EventSource.CLOSED) shop.closed.push('event stream');
  });
  shop.stream.addEventListener('tick', ({ data }) => {
    const { build } = JSON.parse(data);
    if (build === page.build) shop.ticks++;
    else check('event', build);
  });
};

shop.connect = () => {
  const address = `${location.origin.replace(/^http/, 'ws')}/ws?page-build=${page.build}`;
  const socket = new WebSocket(address);
  shop.socket = socket;
  socket.addEventListener('message', ({ data }) => check('WebSocket', JSON.parse(data).build));
  socket.addEventListener('close', ({ code }) => {
    shop.closed.push(code);
    // Service restart: what answers from now on is another version, and so must the page be.
    if (code === 1012 && page.onRestart === 'reload') location.reload();
  });
};

if (page.live === 'both') shop.listen();
if (page.live !== undefined) shop.connect();

/** A page with streams cannot outlive its version: it leaves in time, as far as it is told. */
globalThis.addEventListener('lockstep:update', (event) => {
  const { kind, endsAt } = event.detail;
  shop.updates.push(kind);
  if (page.updates === 'own') event.preventDefault();
  if (page.leaves !== undefined && endsAt !== null) {
    setTimeout(() => location.reload(), Math.max(0, Date.parse(endsAt) - Date.now() - Number(page.leaves)));
  }
});
globalThis.addEventListener('lockstep:reload', (event) => {
  shop.updates.push('gone');
  if (page.updates === 'own') event.preventDefault();
});

globalThis.addEventListener('pageshow', ({ persisted }) => {
  if (persisted) shop.restored++;
});

shop.work = async (path) => {
  const registration = await navigator.serviceWorker.register(path);
  await navigator.serviceWorker.ready;
  return registration.active?.scriptURL;
};

check('script', '__BUILD__');
check('shared script', sharedBuild);
check('style', getComputedStyle(document.documentElement).getPropertyValue('--build').trim());
await shop.call('/api/stock');
await shop.xhr('/api/stock');
shop.isReady = true;

if (document.prerendering) {
  document.addEventListener('prerenderingchange', () => shop.call('/api/stock?shown'));
  localStorage.setItem('prerendered', page.build);
}
