/**
 * What the gateway counts, in the text format of Prometheus (version 0.0.4). Names of serving that vLLM has too are
 * vLLM's, so that dashboards made for it work.
 */

type Labels = Readonly<Record<string, string>>;

interface Metric {
  readonly lines: () => string[];
}

/** The most series of one metric; what would be more is counted under `other`, so that no caller can fill the memory. */
const mostSeries = 200;

class Series<T> {
  readonly #values = new Map<string, { readonly labels: Labels; value: T }>();
  readonly #create: () => T;

  constructor(create: () => T) {
    this.#create = create;
  }

  get(labels: Labels): { readonly labels: Labels; value: T } {
    const key = textOf(labels);
    const known = this.#values.get(key);
    if (known) return known;
    if (this.#values.size >= mostSeries && Object.values(labels).some((value) => value !== 'other'))
      return this.get(Object.fromEntries(Object.keys(labels).map((name) => [name, 'other'])));
    const made = { labels, value: this.#create() };
    this.#values.set(key, made);
    return made;
  }

  all(): IterableIterator<{ readonly labels: Labels; readonly value: T }> {
    return this.#values.values();
  }
}

/** A number that only grows (counter), or that goes up and down (gauge). */
class Amount implements Metric {
  readonly #head: string[];
  readonly #name: string;
  readonly #series = new Series(() => 0);

  constructor(type: 'counter' | 'gauge', name: string, help: string) {
    this.#name = name;
    this.#head = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  }

  add(labels: Labels, amount = 1): void {
    this.#series.get(labels).value += amount;
  }

  lines(): string[] {
    return [
      ...this.#head,
      ...Array.from(this.#series.all(), (each) => `${this.#name}${textOf(each.labels)} ${each.value}`),
    ];
  }
}

class Histogram implements Metric {
  readonly #head: string[];
  readonly #name: string;
  readonly #bounds: readonly number[];
  readonly #series: Series<{ readonly counts: number[]; sum: number }>;

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#bounds = bounds;
    this.#head = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
    this.#series = new Series(() => ({ counts: bounds.map(() => 0).concat(0), sum: 0 }));
  }

  observe(labels: Labels, value: number): void {
    const { value: into } = this.#series.get(labels);
    const at = this.#bounds.findIndex((bound) => value <= bound);
    into.counts[at === -1 ? this.#bounds.length : at]!++;
    into.sum += value;
  }

  lines(): string[] {
    const lines = [...this.#head];
    for (const { labels, value } of this.#series.all()) {
      let total = 0;
      for (const [i, count] of value.counts.entries()) {
        total += count;
        lines.push(`${this.#name}_bucket${textOf({ ...labels, le: String(this.#bounds[i] ?? '+Inf') })} ${total}`);
      }
      lines.push(`${this.#name}_sum${textOf(labels)} ${value.sum}`, `${this.#name}_count${textOf(labels)} ${total}`);
    }
    return lines;
  }
}

function textOf(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/["\\\n]/g, escaped)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}

const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const tokenCounts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/** How an answer went, as it goes. */
export interface AnswerMeter {
  readonly began: (promptTokens: number) => void;
  /** Some tokens came, all at once. */
  readonly came: (tokens: number) => void;
  /** At most once; whatever became of it. */
  readonly ended: (reason: string) => void;
}

export class Metrics {
  readonly #requests = new Amount('counter', 'http_requests_total', 'HTTP requests that were answered.');
  readonly #durations = new Histogram(
    'http_request_duration_seconds',
    'From the headers of a request to the last byte of its answer.',
    seconds,
  );
  readonly #running = new Amount('gauge', 'vllm:num_requests_running', 'Answers that models are writing.');
  readonly #prompts = new Amount('counter', 'vllm:prompt_tokens_total', 'Tokens of prompts.');
  readonly #generated = new Amount('counter', 'vllm:generation_tokens_total', 'Tokens of answers.');
  readonly #finished = new Amount('counter', 'vllm:request_success_total', 'Answers that came to their end.');
  readonly #promptSizes = new Histogram('vllm:request_prompt_tokens', 'Tokens of a prompt.', tokenCounts);
  readonly #answerSizes = new Histogram('vllm:request_generation_tokens', 'Tokens of an answer.', tokenCounts);
  readonly #firstToken = new Histogram(
    'vllm:time_to_first_token_seconds',
    'From the question to the first token of its answer.',
    seconds,
  );
  readonly #nextToken = new Histogram('vllm:inter_token_latency_seconds', 'Between two tokens of an answer.', seconds);
  readonly #latency = new Histogram(
    'vllm:e2e_request_latency_seconds',
    'From the question to the end of its answer.',
    seconds,
  );
  readonly #failed = new Amount(
    'counter',
    'crucible_answers_failed_total',
    'Answers that were broken off, by the code.',
  );
  readonly #runs = new Amount('counter', 'crucible_runs_total', 'Runs of strategies that ended, by what ended them.');

  request(method: string, route: string, status: number, durationMs: number): void {
    this.#requests.add({ method, route, status: String(status) });
    this.#durations.observe({ method, route }, durationMs / 1000);
  }

  /** Of one answer of a model. */
  answer(model: string): AnswerMeter {
    const labels = { model_name: model };
    const asked = performance.now();
    let last = asked;
    let tokens = 0;
    let isOpen = true;
    this.#running.add(labels);
    return {
      began: (promptTokens) => {
        this.#prompts.add(labels, promptTokens);
        this.#promptSizes.observe(labels, promptTokens);
      },
      came: (count) => {
        if (count === 0) return;
        const now = performance.now();
        if (tokens === 0) this.#firstToken.observe(labels, (now - asked) / 1000);
        else for (let i = 0; i < count; i++) this.#nextToken.observe(labels, (now - last) / 1000 / count);
        last = now;
        tokens += count;
        this.#generated.add(labels, count);
      },
      ended: (reason) => {
        if (!isOpen) return;
        isOpen = false;
        this.#running.add(labels, -1);
        if (reason !== 'stop' && reason !== 'length') {
          this.#failed.add({ ...labels, code: reason });
          return;
        }
        this.#finished.add({ ...labels, finished_reason: reason });
        this.#answerSizes.observe(labels, tokens);
        this.#latency.observe(labels, (performance.now() - asked) / 1000);
      },
    };
  }

  run(strategy: string, reason: string): void {
    this.#runs.add({ strategy, reason });
  }

  /** All of it, as Prometheus reads it. */
  text(): string {
    const metrics: readonly Metric[] = [
      this.#requests,
      this.#durations,
      this.#running,
      this.#prompts,
      this.#generated,
      this.#finished,
      this.#promptSizes,
      this.#answerSizes,
      this.#firstToken,
      this.#nextToken,
      this.#latency,
      this.#failed,
      this.#runs,
    ];
    return `${metrics.flatMap((metric) => metric.lines()).join('\n')}\n`;
  }
}
