import { describe, expect, it } from 'vitest';
import { JinjaTemplate } from './jinja-template.ts';

function render(source: string, variables: Record<string, unknown> = {}): string {
  return new JinjaTemplate(source).render(variables);
}

describe('JinjaTemplate', () => {
  it.each([
    ['variables', '{{ a.b[1] }}{{ c }}', '2'],
    ['white space as transformers treats it', 'x\n  {% if true %}\n  y\n  {% endif %}\nz', 'x\n  y\nz'],
    ['constants', '{{ true }}{{ True }}{{ none is none }}{{ None is none }}', 'truetruetruetrue'],
    ['ranges', '{% for i in range(3) %}{{ i }}{% endfor %} {{ range(5, 0, -2) | join(",") }}', '012 5,3,1'],
    ['empty ranges', '{% for i in range(3, 1) %}{{ i }}{% endfor %}', ''],
    ['times', "{{ strftime_now('%Y').__len__ is defined }}{{ strftime_now('%d %b') | length }}", 'false6'],
    ['data as JSON', '{{ d | tojson }}', '{"a": [1, 2.5, "<\\u00fc\\n>", null, true]}'.replace('\\u00fc', '\u00fc')],
    ['data as JSON, indented', '{{ [1, {}] | tojson(indent=2) }}', '[\n  1,\n  {}\n]'],
    ['blocks that mark what is generated', '{% generation %}x{% endgeneration %}', 'x'],
    ['loops that end early', '{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}', '01'],
    ['macros', '{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}', '<1>'],
  ])('renders %s', (_what, source, text) => {
    expect(render(source, { a: { b: [1, 2] }, d: { a: [1, 2.5, '<\u00fc\n>', null, true] } })).toBe(text);
  });

  it.each([
    ['what is no template', '{% for %}', 'Unexpected token: CloseStatement'],
    ['what the template raises', "{{ raise_exception('roles must alternate') }}", 'roles must alternate'],
    ['what the interpreter does not know', '{{ 1 | frobnicate }}', 'Unknown NumericValue filter: frobnicate'],
    ['times in other formats', "{{ strftime_now('%Q') }}", 'strftime_now: %Q is not supported'],
    [
      'ranges beyond bounds',
      '{{ range(1000000000) | length }}',
      'asked for a range of 1000000000 items; at most 131072 are allowed',
    ],
    [
      'ranges without an end',
      '{{ range(0, 1, 0) | length }}',
      'asked for a range of Infinity items; at most 131072 are allowed',
    ],
    [
      'strings beyond bounds',
      "{% set n = namespace(s='x') %}{% for i in range(40) %}{% set n.s = n.s + n.s %}{% endfor %}",
      'made a text of 33554432 characters; at most 16777216 are allowed',
    ],
    [
      'lists beyond bounds',
      '{% set n = namespace(a=[1]) %}{% for i in range(40) %}{% set n.a = n.a + n.a %}{% endfor %}',
      'made a list of 262144 items; at most 131072 are allowed',
    ],
    [
      'nesting beyond the stack',
      '{{ ' + '('.repeat(100_000) + '1' + ')'.repeat(100_000) + ' }}',
      'Maximum call stack size exceeded',
    ],
    ['templates beyond bounds', 'x'.repeat(262_145), 'has 262145 characters; at most 262144 are allowed'],
  ])('says what is wrong with %s', (_what, source, message) => {
    expect(() => render(source)).toThrow(expect.objectContaining({ message }));
  });

  it.each([
    ['loops in loops', '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}'],
    // Single operations, which the interpreter itself cannot interrupt.
    [
      'printing lists in lists',
      '{% set n = namespace(a=[1]) %}{% for i in range(40) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}',
    ],
    [
      'writing lists in lists as JSON',
      '{% set n = namespace(a=[1]) %}{% for i in range(40) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a | tojson }}',
    ],
  ])('stops a template that does not end by itself: %s', (_what, source) => {
    expect(() => new JinjaTemplate(source, { longestRun: 200 }).render({})).toThrow('ran longer than 200 ms');
    // And goes on.
    expect(render('{{ 1 + 1 }}')).toBe('2');
  });

  it('renders what is trusted the same', () => {
    const source = '{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}';
    const messages = [{ role: 'user', content: ' hot? ' }];
    expect(new JinjaTemplate(source, { isTrusted: true }).render({ messages })).toBe('user: hot?\n');
    expect(new JinjaTemplate(source).render({ messages })).toBe('user: hot?\n');
  });

  it('writes times as Python does', () => {
    const now = new Date();
    const day = String(now.getDate());
    const wanted = [now.getFullYear(), day.padStart(2, '0'), day, now.getHours() < 12 ? 'AM' : 'PM'].join(' ');
    expect(render("{{ strftime_now('%Y %d %-d %p') }}")).toBe(wanted);
    expect(render("{{ strftime_now('%F %T') }}")).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  });

  it('does not reach what it is not given', () => {
    const reach = "{{ ''.constructor is defined }} {{ a.__proto__ is defined }} {{ process is defined }}";
    expect(render(reach, { a: {} })).toBe('false false false');
  });
});
