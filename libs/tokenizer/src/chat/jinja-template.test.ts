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
  ])('renders %s', (_what, source, text) => {
    expect(render(source, { a: { b: [1, 2] } })).toBe(text);
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

  it('stops a template that does not end by itself', () => {
    const loops = '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}';
    expect(() => new JinjaTemplate(loops, 200).render({})).toThrow('ran longer than 200 ms');
  });

  it('does not reach what it is not given', () => {
    const reach = "{{ ''.constructor is defined }} {{ a.__proto__ is defined }} {{ process is defined }}";
    expect(render(reach, { a: {} })).toBe('false false false');
  });
});
