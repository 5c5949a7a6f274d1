/** The ways to ask, in words. Those that the gateway offers and this page does not know are shown by their names. */

export interface Way {
  /** Of the strategy; '': no strategy, the model answers the conversation. */
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly takesExamples: boolean;
  readonly takesSamples: boolean;
  /** Searches a collection: always, or where one is chosen. */
  readonly searches: 'always' | 'maybe' | 'never';
  readonly takesTools: boolean;
}

function way(name: string, label: string, hint: string, more: Partial<Way> = {}): Way {
  return {
    name,
    label,
    hint,
    takesExamples: false,
    takesSamples: false,
    searches: 'never',
    takesTools: false,
    ...more,
  };
}

const acting = { searches: 'maybe', takesTools: true } as const;

export const plainChat = way('', 'Plain chat', 'The model answers the conversation.');

const ways: readonly Way[] = [
  plainChat,
  way('direct', 'Direct', 'The question as it is, with a trace.'),
  way('few-shot', 'Few-shot', 'Solved examples stand before the question.', { takesExamples: true }),
  way('cot', 'Chain of thought', 'Examples that show their reasoning stand before it.', { takesExamples: true }),
  way('step-by-step', 'Step by step', 'The model reasons first, and then says what the answer is.'),
  way('self-consistency', 'Self-consistency', 'Several answers are drawn, and vote.', {
    takesExamples: true,
    takesSamples: true,
  }),
  way('rag', 'Retrieval (RAG)', 'Passages of a collection are found, and the answer cites them.', {
    searches: 'always',
  }),
  way('pal', 'Program (PAL)', 'The model writes a program, and the sandbox runs it.', {
    takesExamples: true,
    takesSamples: true,
  }),
  way('react', 'ReAct', 'Thought, action, observation, in turn: searches, programs, tools.', acting),
  way('react-then-self-consistency', 'ReAct, then votes', 'Votes where acting came to no answer.', {
    ...acting,
    takesExamples: true,
    takesSamples: true,
  }),
  way('self-consistency-then-react', 'Votes, then ReAct', 'Acts where the votes do not agree.', {
    ...acting,
    takesExamples: true,
    takesSamples: true,
  }),
];

export function wayOf(name: string): Way {
  const known = ways.find((each) => each.name === name);
  return known ?? way(name, name, 'A strategy of this server.', { ...acting, takesExamples: true, takesSamples: true });
}

/** What can be chosen, in our order; others after it. */
export function waysFrom(strategies: readonly string[]): readonly Way[] {
  const known = ways.filter(({ name }) => name === '' || strategies.includes(name));
  const others = strategies.filter((name) => !ways.some((each) => each.name === name));
  return [...known, ...others.map(wayOf)];
}
