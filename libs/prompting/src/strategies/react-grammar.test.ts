import { describe, expect, it } from 'vitest';
import { parseTurn } from './react-grammar.ts';

function read(text: string): unknown[] {
  const { thought, action, finish } = parseTurn(text);
  return finish === undefined ? [thought, action?.name, action?.argument] : [thought, { finish }];
}

describe('a turn in the words of the paper', () => {
  it.each<[string, unknown[]]>([
    ['Thought 1: I need Milhouse.\nAction 1: Search[Milhouse]', ['I need Milhouse.', 'Search', 'Milhouse']],
    [' I need Milhouse.\nAction 1: search[Milhouse]', ['I need Milhouse.', 'search', 'Milhouse']],
    ['Thought: two\nlines.\nAction: Lookup[named after]', ['two\nlines.', 'Lookup', 'named after']],
    ['Thought 2: done\nAction 2: Finish[Richard Nixon]', ['done', { finish: 'Richard Nixon' }]],
    ['**Thought 1:** bold\n**Action 1:** Search[x]', ['bold', 'Search', 'x']],
    ['Thought 1: a\nThought 1: b\nAction 1: Search[x]', ['a b', 'Search', 'x']],
    ['Action 1: Search[List of [sic] titles]', ['', 'Search', 'List of [sic] titles']],
    ['Action 1: Python[len("]") + [1][0]]', ['', 'Python', 'len("]") + [1][0]']],
    ["Action 1: Search[Schindler's List]", ['', 'Search', "Schindler's List"]],
    [
      'Action 1: Python[x = 1\nfor i in range(3):\n    x += i\nx]',
      ['', 'Python', 'x = 1\nfor i in range(3):\n    x += i\nx'],
    ],
    ['Action 1: Finish[]', ['', { finish: '' }]],
    ['Action 1: my-tool.v2[x]', ['', 'my-tool.v2', 'x']],
    ['Action 1: Search[one] and Search[two]', ['', 'Search', 'one']],
    // Broken off before the bracket.
    ['Action 1: Search[Milhouse', ['', 'Search', 'Milhouse']],
    ['I think that is it.\nFinish[42]', ['I think that is it.', { finish: '42' }]],
    ['Action 1: look around', ['', undefined, undefined]],
    ['Thought 1: hm', ['hm', undefined, undefined]],
    ['', ['', undefined, undefined]],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it('ends with its first action: the rest has been made up', () => {
    const { kept, action } = parseTurn(
      'Thought 1: so\nAction 1: Search[a] now\nObservation 1: It is b.\nThought 2: b\nAction 2: Finish[b]',
    );
    expect({ kept, action }).toEqual({
      kept: 'Thought 1: so\nAction 1: Search[a]',
      action: { name: 'Search', argument: 'a' },
    });
  });

  it('has no action that stands behind an observation', () => {
    expect(read('Thought 1: so\nObservation 1: It is b.\nAction 1: Finish[b]')).toEqual(['so', undefined, undefined]);
  });
});

describe('a turn with Action Input', () => {
  it.each<[string, unknown[]]>([
    ['Thought: so\nAction: search\nAction Input: Milhouse', ['so', 'search', 'Milhouse']],
    // A parser that stops at the end of the line loses all but the first of these.
    ['Action: python\nAction Input: a = 1\nb = 2\nprint(a + b)', ['', 'python', 'a = 1\nb = 2\nprint(a + b)']],
    ['Action: python\nAction Input:\n```python\na = 1\nprint(a)\n```', ['', 'python', 'a = 1\nprint(a)']],
    // A parser that stops at the first brace cuts this, one that knows letters alone the name, and one that keeps texts alone the number.
    [
      'Action: my-tool\nAction Input: {"a": {"b": 1}, "c": [2], "d": "}"}',
      ['', 'my-tool', { a: { b: 1 }, c: [2], d: '}' }],
    ],
    ['Action: `search`\nAction Input: {"title": "x"} and so on', ['', 'search', { title: 'x' }]],
    ['Action: search()\nAction Input: {broken', ['', 'search', '{broken']],
    [
      'Thought: I now know the final answer\nFinal Answer: 42\nand a half',
      ['I now know the final answer', { finish: '42\nand a half' }],
    ],
    [
      'Thought: I can answer without using any more tools.\nAnswer: blue',
      ['I can answer without using any more tools.', { finish: 'blue' }],
    ],
    // Both: what comes first counts.
    ['Action: search\nAction Input: x\nFinal Answer: 5', ['', 'search', 'x']],
    ['Final Answer: 5\nAction: search\nAction Input: x', ['', { finish: '5' }]],
    ['Action: None\nAction Input: none', ['', undefined, undefined]],
    ['Action: finish\nAction Input: {"answer": "x"}', ['', { finish: 'x' }]],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });
});

describe('a turn with a call in JSON', () => {
  it.each<[string, unknown[]]>([
    ['{"name": "search", "arguments": {"title": "x", "n": 3}}', ['', 'search', { title: 'x', n: 3 }]],
    [
      'I need x.\n<tool_call>\n{"name": "search", "arguments": "{\\"title\\": \\"x\\"}"}\n</tool_call>',
      ['I need x.', 'search', { title: 'x' }],
    ],
    ['So:\n```json\n{"tool": "search", "args": {"title": "{"}}\n```', ['So:', 'search', { title: '{' }]],
    ['Thought: so\nAction: {"action": "search", "action_input": "x"}', ['so', 'search', 'x']],
    ['{"name": "search"}', ['', 'search', {}]],
    ['{"name": "finish", "arguments": {"answer": 42}}', ['', { finish: '42' }]],
    ['{"title": "x"}', ['{"title": "x"}', undefined, undefined]],
    [
      '{"name": "search", "arguments": {"title": "x"',
      ['{"name": "search", "arguments": {"title": "x"', undefined, undefined],
    ],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });
});
