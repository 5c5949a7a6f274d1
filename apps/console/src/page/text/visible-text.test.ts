import { expect, test } from 'vitest';
import { visibleText } from './visible-text.ts';

test('what turns the direction, takes no room or controls is shown as its code point', () => {
  expect(visibleText('rm \u202e fdp.x \u2066a\u2069')).toBe('rm ⟨U+202E⟩ fdp.x ⟨U+2066⟩a⟨U+2069⟩');
  expect(visibleText('a\u200bb\ufeff\u0000\u001b[31m\r\u2028\u{e0041}')).toBe(
    'a⟨U+200B⟩b⟨U+FEFF⟩⟨U+0000⟩⟨U+001B⟩[31m⟨U+000D⟩⟨U+2028⟩⟨U+E0041⟩',
  );
  expect(visibleText('x\u3164\u00a0y \ud800')).toBe('x⟨U+3164⟩⟨U+00A0⟩y ⟨U+D800⟩');
});

test('text of any language, lines and tabs stay as they are', () => {
  const text = 'def f():\n\treturn "größer 绿茶 שלום मूल्य 🔥"';
  expect(visibleText(text)).toBe(text);
});
