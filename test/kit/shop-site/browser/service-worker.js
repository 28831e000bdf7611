// The shop's service worker. It answers nothing but one path, with what the network says, and tells its own build.

const build = '__BUILD__';

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('message', ({ source }) => source.postMessage({ build }));
addEventListener('fetch', (event) => {
  if (new URL(event.request.url).pathname !== '/api/by-worker') return;
  event.respondWith(
    fetch('/api/stock', { headers: { 'x-page-build': event.request.headers.get('x-page-build') } }),
  );
});
