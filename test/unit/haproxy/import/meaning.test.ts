// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of HAProxy
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../../src/config/load.ts';
import { type Asked, notesOf, problemsOf, runImport } from './run-import.ts';

/** Lines of a frontend and of its backend. */
const site = (front: string, back = '') =>
  `defaults\nmode http\nfrontend f\n${front}\ndefault_backend b\nbackend b\nserver a 10.0.0.1:8000 check\n${back}`;

function printed(text: string, asked?: Asked) {
  const result = runImport(text, asked);
  if (!result.ok) throw new Error(problemsOf(result).join('\n'));
  return { ...parse(result.yaml), yaml: result.yaml, notes: notesOf(result) };
}

describe('listeners', () => {
  const listenOf = (front: string, asked?: Asked) => printed(site(front), asked).listen;

  it.each([
    'http-request redirect scheme https',
    'redirect scheme https code 301 if !{ ssl_fc }',
    'redirect scheme https unless { ssl_fc }',
    'http-request redirect scheme https if { ssl_fc 0 }',
    'acl plain ssl_fc,not\nredirect scheme https if plain',
    'acl renewal path_beg /.well-known/\nredirect scheme https if !renewal',
    'redirect scheme https if !{ ssl_fc } { hdr(host) -i x.example }',
  ])('without TLS are left to HAProxy where it only redirects: %s', (rule) => {
    expect(listenOf(`bind :80\nbind :443 ssl crt /a.pem\n${rule}`)).toEqual([
      { address: '0.0.0.0:443', tls: { cert: '/a.pem', key: '/a.pem' } },
    ]);
  });

  it.each([
    'redirect scheme https if { hdr(X-Forwarded-Proto) http }',
    'redirect scheme https if !{ hdr(X-Forwarded-Proto) https }',
    'redirect scheme https if { path_beg /login }',
    'redirect location https://x.example if !{ ssl_fc }',
  ])('without TLS stay where it redirects some: %s', (rule) => {
    expect(listenOf(`bind :80\n${rule}`)).toEqual(['0.0.0.0:80']);
  });

  it('whose clients show certificates are left out', () => {
    const { listen, yaml, notes } = printed(
      site('bind :443 ssl crt /a.pem ca-file /ca.pem verify required\nbind :80'),
    );
    expect(listen).toEqual(['0.0.0.0:80']);
    expect(yaml).toContain('# - 0.0.0.0:443');
    expect(notes).toContainEqual(expect.stringMatching(/^4 left-out bind: its clients show certificates/));
  });

  it.each([
    { name: 'in a folder', given: 'crt /certs', want: /is a folder of certificates/ },
    { name: 'in a list', given: 'crt-list /list', want: /crt-list/ },
    { name: 'in a store', given: 'crt @site/a.pem', want: /crt-store/ },
  ])('whose certificates are $name are left out', ({ given, want }) => {
    const { listen, notes } = printed(site(`bind :443 ssl ${given}\nbind :80`), {
      isFolder: (path) => path === '/certs',
    });
    expect(listen).toEqual(['0.0.0.0:80']);
    expect(notes).toContainEqual(expect.stringMatching(want));
  });

  it('find their certificates where crt-base and default-path say', () => {
    const tlsOf = (global: string) =>
      printed(`global\n${global}\n${site('bind :443 ssl crt x.pem')}`).listen[0].tls.cert;
    expect(tlsOf('crt-base /etc/certs/')).toBe('/etc/certs/x.pem');
    expect(tlsOf('default-path origin /srv')).toBe('/srv/x.pem');
    expect(tlsOf('daemon')).toBe('x.pem');
  });

  it.each([
    { given: 'if { src 10.1.0.0/16 192.0.2.7 }', want: ['10.1.0.0/16', '192.0.2.7/32'] },
    { given: 'if balancers', want: ['10.2.0.0/16'] },
    { given: 'if !{ src 10.1.0.0/16 }', want: expect.arrayContaining(['10.0.0.0/8', '127.0.0.0/8']) },
    { given: 'if { src -f /etc/nets }', want: expect.arrayContaining(['10.0.0.0/8']) },
    { given: '', want: expect.arrayContaining(['10.0.0.0/8']) },
  ])('take PROXY headers of whom HAProxy expects them: $given', ({ given, want }) => {
    const rule = `acl balancers src 10.2.0.0/255.255.0.0\ntcp-request connection expect-proxy layer4 ${given}`;
    expect(listenOf(`bind :80\n${rule}`)).toEqual([{ address: '0.0.0.0:80', proxyProtocol: want }]);
  });

  it('at one address are one', () => {
    expect(listenOf('bind :80\nbind *:80')).toEqual(['0.0.0.0:80']);
  });

  it('are those of all frontends that lead to the backend', () => {
    const text = `${site('bind :80')}\nfrontend g\nbind :81\nuse_backend b\nfrontend h\nbind :82\ndefault_backend c`;
    expect(printed(text).listen).toEqual(['0.0.0.0:80', '0.0.0.0:81']);
  });
});

describe('names of sites', () => {
  const routed = (front: string) =>
    printed(
      `defaults\nmode http\nfrontend f\nbind :80\n${front}\nbackend b\nserver a 10.0.0.1:80\nbackend c`,
      { backend: 'b' },
    );

  it.each([
    { given: 'use_backend b if { hdr(host) -i A.example }', want: ['a.example'] },
    {
      given: 'use_backend b if { req.hdr(Host),field(1,:),lower a.example b.example:8080 }',
      want: ['a.example', 'b.example'],
    },
    {
      given: 'acl x hdr(host) a.example\nacl x hdr(host) b.example\nuse_backend b if x',
      want: ['a.example', 'b.example'],
    },
    {
      given:
        'acl x hdr(host) a.example\nacl y hdr(host) b.example\nuse_backend b if x || y\ndefault_backend c',
      want: ['a.example', 'b.example'],
    },
  ])('become hosts: $given', ({ given, want }) => {
    expect(routed(given).hosts).toEqual(want);
  });

  it.each([
    'use_backend b if { hdr(host) -i a.example } { path_beg /x }',
    'use_backend b if !{ hdr(host) -i a.example }',
    'use_backend b if { hdr_end(host) .example }',
    'use_backend b if { hdr(host) -f /etc/names }',
    'use_backend b if { hdr(host) -m reg ^a }',
    'use_backend b if { hdr(host) *.example }',
    'use_backend b if unknown_acl',
    'use_backend b if { hdr(host) a.example\n',
    'use_backend b unless { hdr(host) a.example }',
    'use_backend b if { hdr(host) a.example }\ndefault_backend b',
    'use_backend b',
  ])('do not become hosts when there is more to it: %s', (given) => {
    expect(routed(given)).not.toHaveProperty('hosts');
  });
});

describe('checks', () => {
  const healthOf = (back: string) => printed(site('bind :80', back)).health;

  it.each([
    { given: 'option httpchk', want: '/' },
    { given: 'option httpchk /up', want: '/up' },
    { given: 'option httpchk GET /up?x=1 HTTP/1.1', want: '/up?x=1' },
    { given: 'option httpchk\nhttp-check send meth GET uri /ready ver HTTP/1.1 hdr Host x', want: '/ready' },
    { given: 'option httpchk GET /a\nhttp-check expect status 200-299,301', want: '/a' },
    { given: 'option httpchk GET /a\nhttp-check expect ! rstatus ^5', want: '/a' },
    { given: 'option httpchk GET /a\nhttp-check expect rstatus (2|3)[0-9][0-9]', want: '/a' },
    { given: 'option tcp-check\noption httpchk GET /a', want: '/a' },
  ])('ask for the path: $given', ({ given, want }) => {
    expect(healthOf(given).path).toBe(want);
  });

  it.each([
    'option httpchk OPTIONS *',
    'option httpchk GET /a\nhttp-check expect status 401',
    'option httpchk GET /a\nhttp-check expect rstatus ^5',
    'option httpchk GET /a\nhttp-check expect rstatus (',
    'option httpchk GET /a\nhttp-check connect port 81',
    'option httpchk GET /a\ndefault-server port 81\nserver b 10.0.0.2:80 check',
    'option httpchk GET /a\nserver b 10.0.0.2:80 check addr 10.0.0.3',
    'option httpchk GET /a\noption tcp-check',
    'option mysql-check',
    '',
  ])('are connects where a GET cannot tell: %s', (given) => {
    expect(healthOf(given).path).toBeNull();
  });

  it('take as long as HAProxy gives them', () => {
    expect(healthOf('')).toEqual({ path: null, timeout: '2s' });
    expect(healthOf('timeout check 3s')).toEqual({ path: null, timeout: '3s' });
  });
});

describe('limits', () => {
  const limitsOf = (defaults: string, front = 'bind :80', global = '') =>
    printed(
      `global\n${global}\ndefaults\nmode http\n${defaults}\nfrontend f\n${front}\ndefault_backend b\nbackend b\nserver a 10.0.0.1:80`,
    ).limits;

  it.each([
    { given: 'timeout client 30s', want: { clientIdle: '30s', bodyProgress: '30s', sendProgress: '30s' } },
    { given: 'timeout http-request 5s', want: { headerTimeout: '5s', clientIdle: '5s' } },
    {
      given: 'timeout http-keep-alive 1m\ntimeout http-request 5s',
      want: { headerTimeout: '5s', clientIdle: '1m' },
    },
    {
      given: 'timeout connect 4000\ntimeout server 2m\ntimeout queue 0',
      want: { connect: '4s', firstByte: '2m', queueTimeout: '0s' },
    },
    { given: 'timeout tunnel 1d', want: { tunnelIdle: '24h' } },
    { given: 'timeout connect 1us', want: { connect: '10ms' } },
    { given: 'timeout server 0', want: undefined },
    { given: 'timeout server soon', want: undefined },
  ])('follow $given', ({ given, want }) => {
    expect(limitsOf(given)).toEqual(want);
  });

  it('take the longer time of two frontends', () => {
    const text = `${site('bind :80\ntimeout client 5s')}\nfrontend g\nbind :81\ntimeout client 9s\ndefault_backend b`;
    expect(printed(text).limits.sendProgress).toBe('9s');
  });

  it.each([
    { front: 'maxconn 100', global: 'maxconn 5000', want: 100 },
    { front: 'maxconn 100', global: 'maxconn 50', want: 50 },
    { front: '', global: 'maxconn 50', want: 50 },
    { front: 'maxconn 100', global: '', want: 100 },
  ])('count connections as $front and $global say', ({ front, global, want }) => {
    expect(limitsOf('', `bind :80\n${front}`, global)).toEqual({ connections: want });
  });

  it('follow what global says of heads and of the end', () => {
    expect(limitsOf('', 'bind :80', 'tune.bufsize 20k\ntune.http.maxhdr 5\nhard-stop-after 1h')).toEqual({
      headBytes: '20KiB',
      headers: 8,
      shutdown: '1h',
    });
  });
});

describe('what keeps a client on a server', () => {
  const affinityOf = (back: string) => printed(site('bind :80', back)).affinity;

  it.each([
    'cookie S insert\nserver b 10.0.0.2:80 cookie b',
    'cookie S insert dynamic',
    'balance source',
    'balance hdr_ip(X-Forwarded-For)',
    'stick-table type ip size 1k\nstick on src',
  ])('is affinity: %s', (back) => {
    expect(affinityOf(back)).toBe('upstream');
  });

  it.each(['', 'balance roundrobin', 'balance uri', 'cookie S insert'])('is not: %s', (back) => {
    expect(affinityOf(back)).toBeUndefined();
  });

  it.each([
    { given: 'maxidle 1800', want: { idle: '30m' } },
    { given: 'maxlife 10m', want: { idle: '10m', life: '10m' } },
    { given: 'maxidle 20h', want: { idle: '20h', life: '20h' } },
    { given: 'domain .Shop.Example', want: { domain: 'shop.example' } },
    { given: 'domain localhost', want: undefined },
    { given: 'attr SameSite=Strict', want: undefined },
    { given: 'attr SameSite=None secure', want: { sameSite: 'none' } },
  ])('lends the pin what it has: $given', ({ given, want }) => {
    expect(printed(site('bind :80', `cookie S insert dynamic ${given}`)).cookie).toEqual(want);
  });
});

describe('networks in front', () => {
  it.each([
    { given: 'except 10.0.0.0/8', want: ['10.0.0.0/8'] },
    { given: 'except 10.1.2.3', want: ['10.1.2.3/32'] },
    { given: 'except 10.0.0.0/255.0.0.0', want: ['10.0.0.0/8'] },
    { given: 'except ::1', want: ['::1/128'] },
    { given: 'except 0.0.0.0/0', want: undefined },
    { given: 'except 10.0.0.0/255.0.255.0', want: undefined },
    { given: 'if-none', want: undefined },
  ])('are trusted as option forwardfor $given says', ({ given, want }) => {
    expect(printed(site(`bind :80\noption forwardfor ${given}`)).trustedProxies).toEqual(want);
  });
});

describe('what is told', () => {
  it('never shows a password', () => {
    const secret = 'not-to-be-told';
    const text = `userlist u\nuser a insecure-password ${secret}\nglobal\nstats socket /x user ${secret}\n${site(
      `bind :80\nstats auth a:${secret}\nhttp-request set-header Authorization ${secret}\n${secret} x`.replace(
        `\n${secret} x`,
        '',
      ),
      `dynamic-cookie-key ${secret}`,
    )}`;
    const result = runImport(text);
    expect(JSON.stringify(result)).not.toContain(secret);
  });

  it('is a text to Lockstep, whatever stands in it', () => {
    const result = runImport(site("bind :443 ssl crt '/a ${HOME}: #.pem'"));
    const checked = result.ok ? parseConfig(result.yaml, '/lockstep.yaml', { HOME: 'x' }) : null;
    expect(checked?.ok && checked.config.listen[0]?.tls?.certFile).toBe('/a ${HOME}: #.pem');
  });

  it('is on one line each, whatever stands in the file', () => {
    const { yaml } = printed(site('bind :80', 'cookie "a\\nb: 1\\x07" insert dynamic'));
    expect(yaml.split('\n').filter((line: string) => /^b: 1|\x07/.test(line))).toEqual([]);
  });
});
