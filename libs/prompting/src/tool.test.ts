import { expect, it } from 'vitest';
import { type Tool, Toolbox } from './tool.ts';

function tool(name: string, parameters: Tool['parameters'] = { type: 'object', properties: {} }): Tool {
  return { name, description: '', parameters, run: () => Promise.resolve({ text: '' }) };
}

const search = tool('search', {
  type: 'object',
  properties: { n: { type: 'integer' }, title: { type: 'string', minLength: 1 } },
  required: ['title'],
  additionalProperties: false,
});
const wait = tool('wait', { type: 'object', properties: { seconds: { type: 'number' } } });
const place = tool('place', {
  type: 'object',
  properties: { x: { type: 'number' }, at: { type: 'object', properties: { y: { type: 'number' } }, required: ['y'] } },
  required: ['x', 'at'],
});

const box = new Toolbox([search, wait, place]);

it.each<[Tool, string | object, unknown]>([
  [search, 'Milhouse', { title: 'Milhouse' }],
  [search, ' "Milhouse" ', { title: 'Milhouse' }],
  [search, '{"title": "Milhouse", "n": 3}', { title: 'Milhouse', n: 3 }],
  // JSON that is no arguments is the text that is looked for.
  [search, '{"a": 1}', { title: '{"a": 1}' }],
  [search, '5', { title: '5' }],
  [wait, '2.5', { seconds: 2.5 }],
  [wait, '{"seconds": 2}', { seconds: 2 }],
  [place, '{"x": 1, "at": {"y": 2}}', { x: 1, at: { y: 2 } }],
  [place, { x: 1, at: { y: 2 } }, { x: 1, at: { y: 2 } }],
])('%# of %j', (one, given, input) => {
  expect(box.input(one, given as string)).toEqual(input);
});

it.each<[Tool, string | object, string]>([
  [search, '', 'search: title: Too small: expected string to have >=1 characters'],
  [search, { title: 'x', more: 1 }, 'search: Unrecognized key: "more"'],
  [wait, 'long', 'wait: seconds: Invalid input: expected number, received string'],
  [place, '1, 2', 'place: its argument must be a JSON object with x, at'],
  [place, { x: 1, at: { y: 'z' } }, 'place: at.y: Invalid input: expected number, received string'],
])('%# is refused', (one, given, message) => {
  expect(() => box.input(one, given as string)).toThrow(message);
});

it('finds tools whatever the case', () => {
  expect(box.find('Search')).toBe(search);
  expect(box.find('find')).toBeUndefined();
});

it.each([
  [[tool('a b')], 'tools.a b: a name is a letter and up to 63 letters, digits, "_", "-" and "."'],
  [[tool('Finish')], 'tools.Finish: the name is taken by the action that ends a run'],
  [[tool('x'), tool('X')], 'tools.X: two tools have this name'],
  [[tool('x', { type: 'string' })], 'tools.x: parameters must be a JSON Schema of type object'],
])('%# is no set of tools', (tools, message) => {
  expect(() => new Toolbox(tools)).toThrow(message);
});
