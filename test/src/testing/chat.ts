/** The HTTP API as a client uses it. */
export interface ChatAnswer {
  readonly status: number;
  readonly text: string;
  readonly finish: string | null;
  readonly model: string;
}

const deadline = 20_000;

function post(url: string, model: string, question: string, more: object): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: question }],
      max_tokens: 12,
      temperature: 0,
      ...more,
    }),
    signal: AbortSignal.timeout(deadline),
  });
}

export async function ask(url: string, model: string, question: string): Promise<ChatAnswer> {
  const response = await post(url, model, question, {});
  const body = (await response.json()) as {
    model: string;
    choices?: { message: { content: string }; finish_reason: string }[];
    error?: { message: string };
  };
  const [choice] = body.choices ?? [];
  return {
    status: response.status,
    text: choice?.message.content ?? body.error?.message ?? '',
    finish: choice?.finish_reason ?? null,
    model: body.model,
  };
}

/** The same as a stream: its text put together, and how many pieces it came in. */
export async function askStreaming(
  url: string,
  model: string,
  question: string,
): Promise<ChatAnswer & { readonly pieces: number }> {
  const response = await post(url, model, question, { stream: true });
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
  if (lines.pop() !== 'data: [DONE]') throw new Error('the stream has no [DONE] at its end');
  const chunks = lines.map(
    (line) =>
      JSON.parse(line.slice('data: '.length)) as {
        model: string;
        choices: { delta: { content?: string }; finish_reason: string | null }[];
      },
  );
  const texts = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').filter((text) => text !== '');
  return {
    status: response.status,
    text: texts.join(''),
    pieces: texts.length,
    finish: chunks.at(-1)?.choices[0]?.finish_reason ?? null,
    model: chunks[0]!.model,
  };
}

/** Status and body of /healthz. */
export async function health(
  url: string,
): Promise<{ readonly status: number; readonly body: { readonly status: string } }> {
  const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(deadline) });
  return { status: response.status, body: (await response.json()) as { status: string } };
}
