import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { evaluateProgram } from '../program.ts';
import { decimalFrom } from '../rational.ts';
import type { Draw } from '../task.ts';
import { factsIn } from '../testing/fact-reading.ts';
import { createWorld } from '../world.ts';
import { documentKinds, documentWeights, drawDocument } from './document.ts';
import type { DocumentKind } from './document.ts';

const world = createWorld();

function documents(kind: DocumentKind, count: number): string[] {
  const draw: Draw = {
    split: 'train',
    random: Random.seeded(41),
    country: 'Soravia',
    encyclopedia: () => world.encyclopedia('train'),
  };
  return Array.from({ length: count }, () => drawDocument(draw, kind));
}

describe.each(documentKinds)('documents of kind %s', (kind) => {
  it('are text without questions and without dialogue', () => {
    for (const text of documents(kind, 300)) {
      expect(text).not.toMatch(/\?|\{|\}|undefined|Question|Answer|Thought \d|Action \d|Observation|User:|Assistant:/);
      expect(text.trim()).toBe(text);
      expect(text.length).toBeGreaterThan(20);
      expect(text.length).toBeLessThan(1200);
    }
  });
});

describe('documents', () => {
  it('are drawn by their weights', () => {
    expect(Object.values(documentWeights).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1);
    const random = Random.seeded(42);
    const programs = Array.from({ length: 4000 }, () => world.document(random)).filter((text) =>
      text.includes('def solution'),
    );
    expect(Math.abs(programs.length / 4000 - documentWeights.program)).toBeLessThan(0.015);
  });

  it('state true equations', () => {
    for (const text of documents('sums', 300)) {
      const equations = [...text.matchAll(/^(\d+) ([-+*]) (\d+) = (\d+)$/gm)];
      expect(equations.length).toBeGreaterThanOrEqual(2);
      for (const [equation, a, sign, b, value] of equations) {
        const [x, y] = [Number(a), Number(b)];
        expect(Number(value), equation).toBe(sign === '+' ? x + y : sign === '-' ? x - y : x * y);
      }
    }
  });

  it('show programs with their values', () => {
    for (const text of documents('program', 200)) {
      const [, program, value] = /\n(def [^]*)\n# solution\(\) is (.*)$/.exec(text)!;
      const evaluation = evaluateProgram(program!);
      expect(evaluation.ok && decimalFrom(evaluation.value, 6)).toBe(value);
    }
  });

  it('say again in other words what an article has said', () => {
    for (const text of documents('article', 200)) {
      const [first, second] = text.split('\n') as [string, string];
      const [said, again] = [first, second].map((paragraph) => paragraph.split(/(?<=\.) /));
      expect(again!.length).toBeGreaterThanOrEqual(2);
      for (const sentence of again!) expect(said).not.toContain(sentence);
      expect(factsIn(first)).toEqual(expect.arrayContaining(factsIn(second)));
    }
  });

  it('name in notes the number of the note that says it', () => {
    for (const text of documents('notes', 200)) {
      const notes = new Map([...text.matchAll(/^\[(\d+)\] (.*)$/gm)].map(([, number, note]) => [number, note!]));
      const references = [...text.matchAll(/^The .* of (?:the )?(.*): (.*) \[(\d+)\]$/gm)];
      expect(references).toHaveLength(notes.size);
      for (const [, subject, value, number] of references) {
        expect(notes.get(number)).toContain(subject);
        expect(notes.get(number)).toContain(value);
      }
    }
  });
});
