import { describe, expect, it } from 'vitest';
import { linksOfDocument, linksOfScript, linksOfStyle } from '../../../src/assets/links.ts';

const at = (target: string) => new URL(target, 'http://shop.invalid');

describe('what a document loads', () => {
  it.each([
    ['a script', '<script src="/a.js"></script>', ['/a.js']],
    ['a style sheet', '<LINK REL=StyleSheet HREF="css/b.css?v=1">', ['/shop/css/b.css?v=1']],
    ['a module that is loaded ahead', '<link rel="modulepreload" href="../c.js">', ['/c.js']],
    ['an icon', '<link rel="shortcut icon" href="/d.png">', ['/d.png']],
    [
      'an image in several sizes',
      '<img src="/e.png" srcset="/e2.png 2x, /e3.png 3x">',
      ['/e.png', '/e2.png', '/e3.png'],
    ],
    ['below another base', '<base href="/app/"><script src="f.js"></script>', ['/app/f.js']],
    ['each once', '<script src="/a.js"></script><script src="/a.js"></script>', ['/a.js']],
    ['nothing of other origins', '<script src="https://cdn.example/x.js"></script><img src="data:,x">', []],
    [
      'no pages',
      '<a href="/next">next</a><link rel="canonical" href="/g.html"><iframe src="/h.html"></iframe>',
      [],
    ],
    ['nothing in a comment', '<!-- <script src="/i.js"></script> -->', []],
    ['nothing of what is broken', '<script src="http://["></script><script src=></script><script', []],
  ])('is %s', (_, html, want) => {
    expect(linksOfDocument(html, at('/shop/index'))).toEqual(want);
  });
});

describe('what a script loads', () => {
  it.each([
    ['imports', 'import{a}from"./b-1.js";import("./c-2.js")', ['/assets/b-1.js', '/assets/c-2.js']],
    [
      'what Vite lists',
      'm.f=["assets/d-3.js","assets/e.css"]',
      ['/assets/assets/d-3.js', '/assets/d-3.js', '/assets/assets/e.css', '/assets/e.css'],
    ],
    ['nothing else', '"a.b.c", "text.jsx", "two words.js", "https://cdn.example/x.js"', []],
  ])('is what it %s', (_, text, want) => {
    expect(linksOfScript(text, at('/assets/a-0.js'))).toEqual(want);
  });
});

describe('what a style sheet loads', () => {
  it('is what it imports, its fonts and its images', () => {
    const text =
      '@import "./b.css";a{background:url( "../img/c.png" )}@font-face{src:url(/d.woff2),url(data:,x)}';
    expect(linksOfStyle(text, at('/css/a.css'))).toEqual(['/css/b.css', '/img/c.png', '/d.woff2']);
  });
});
