import { describe, expect, it } from 'vitest';
import { fillInstruction, parseInstructionTemplate } from './instruction-template.ts';

const fields = { text: 'A fine film.', label: 'good', options: ['good', 'bad'] };

describe('instruction templates', () => {
  it('ask for the label, with the options a line each', () => {
    const template = parseInstructionTemplate('{text}\nIs it {{good}}?\n{options}');
    expect(template.isInverted).toBe(false);
    expect(fillInstruction(template, fields)).toEqual({
      prompt: 'A fine film.\nIs it {good}?\nOptions:\n- good\n- bad',
      answer: 'good',
    });
  });

  it('inverted, give the label and ask for the text', () => {
    const template = parseInstructionTemplate('Write a {label} review of {pair}.', '{text}');
    expect(template.isInverted).toBe(true);
    expect(fillInstruction(template, { ...fields, pair: 'a film' })).toEqual({
      prompt: 'Write a good review of a film.',
      answer: 'A fine film.',
    });
    expect(() => fillInstruction(template, fields)).toThrow(
      'prompt: it has {pair}, and the example "A fine film." has no second text',
    );
  });

  it('take what texts say as it is', () => {
    const template = parseInstructionTemplate('{text} {options}');
    const { prompt } = fillInstruction(template, { ...fields, text: '{label} $& {{' });
    expect(prompt).toBe('{label} $& {{ Options:\n- good\n- bad');
  });

  it.each([
    [
      '{text} {txt}',
      undefined,
      'prompt, column 8: unknown placeholder {txt}; there are {text}, {pair}, {label}, {options}\n  {text} {txt}\n         ^^^^^',
    ],
    ['{text} {', undefined, 'prompt, column 8: a { without its }; write {{ for a brace\n  {text} {\n         ^'],
    [
      'Is it {label}? {text}',
      undefined,
      'prompt, column 7: the {label} is what is to be answered, and the prompt tells it\n  Is it {label}? {text}\n        ^^^^^^^',
    ],
    [
      'What?',
      undefined,
      'prompt, column 1: there is neither {text} nor {pair}: all questions would be alike\n  What?\n  ^^^^^',
    ],
    [
      '{text}',
      'yes',
      'answer, column 1: there is neither {label} nor {text} nor {pair}: all answers would be alike\n  yes\n  ^^^',
    ],
    [
      '{label} {text}',
      '{text}',
      'prompt, column 9: {text} is what is to be answered, and the prompt tells it\n  {label} {text}\n          ^^^^^^',
    ],
    [
      '{text}',
      '{label} {options}',
      'answer, column 9: {options} are part of what is asked, and not of what is answered\n  {label} {options}\n          ^^^^^^^^^',
    ],
  ])('refuse %s and show the place', (prompt, answer, message) => {
    expect(() => parseInstructionTemplate(prompt, answer)).toThrow(message);
  });
});
