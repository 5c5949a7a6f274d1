import { describe, expect, it } from 'vitest';
import { htmlText } from './html-text.ts';

const read = (html: string) => htmlText(html, 'https://example.org/a/b');

describe('htmlText()', () => {
  it('writes headings, lists, tables and links with where they lead', () => {
    const page = read(`<!doctype html><title> The  title </title><body><h1>Head</h1><p>One <b>bold</b>
      word.<br>Next</p><ul><li>first<li><a href="../c?d=1">second</a></ul>
      <table><tr><th>a<th>b<tr><td>1<td>2</table><pre>x\n  y</pre><img alt="A cat" src=x>`);
    expect(page.title).toBe('The title');
    expect(page.text.split('\n')).toEqual([
      '# Head',
      'One bold word.',
      'Next',
      '- first',
      '- [second](https://example.org/c?d=1)',
      'a | b',
      '1 | 2',
      'x',
      '  y',
      'A cat',
    ]);
  });

  it('reads the main part alone where there is one, and no surroundings where there is none', () => {
    expect(read('<nav>menu</nav><main><p>text</p></main><p>beside</p>').text).toBe('text');
    expect(read('<nav>menu</nav><div role=main>text</div>').text).toBe('text');
    expect(read('<nav>menu</nav><p>text</p><footer>foot</footer><aside>ad</aside>').text).toBe('text');
    expect(read('<main></main><p>text</p>').text).toBe('text');
  });

  it.each([
    '<script>evil()</script>',
    '<style>a{}</style>',
    '<!-- evil -->',
    '<template>evil</template>',
    '<noscript>evil</noscript>',
    '<p hidden>evil</p>',
    '<p aria-hidden=true>evil</p>',
    '<p style="color:red;DISPLAY : none">evil</p>',
    '<p style="visibility:hidden">evil</p>',
    '<span style="font-size:0px">evil</span>',
    '<span style="opacity:0">evil</span>',
  ])('leaves out what nobody sees: %s', (html) => {
    expect(read(`<p>seen</p>${html}`).text).toBe('seen');
  });

  it('shows no links that lead anywhere but to pages', () => {
    expect(read('<a href="javascript:x()">a</a> <a href="#top">b</a> <a href="data:,x">c</a> <a>d</a>').text).toBe(
      'a b c d',
    );
    expect(read('<base href="https://other.test/x/"><a href="y">a</a>').text).toBe('[a](https://other.test/x/y)');
  });

  it('reads a page that is nested without end', () => {
    expect(read(`${'<div>'.repeat(100_000)}deep`).text).toBe('deep');
    expect(read(`${'<p><b>'.repeat(300)}x`).text).toBe('x');
  });
});
