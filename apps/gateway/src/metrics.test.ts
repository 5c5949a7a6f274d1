import { expect, test } from 'vitest';
import { Metrics } from './metrics.ts';

test('names of any kind are escaped, as Prometheus reads them', () => {
  const metrics = new Metrics();
  metrics.run('a"b\\c\nd', 'finished');
  expect(metrics.text()).toContain('crucible_runs_total{strategy="a\\"b\\\\c\\nd",reason="finished"} 1\n');
});

test('callers cannot fill the memory with names', () => {
  const metrics = new Metrics();
  for (let i = 0; i < 10_000; i++) metrics.run(`strategy-${i}`, 'finished');
  const lines = metrics
    .text()
    .split('\n')
    .filter((line) => line.startsWith('crucible_runs_total{'));
  expect(lines).toHaveLength(201);
  expect(lines.at(-1)).toBe('crucible_runs_total{strategy="other",reason="other"} 9800');
});

test('a histogram counts what is at most each bound', () => {
  const metrics = new Metrics();
  for (const ms of [1, 1.5, 1000, 400_000]) metrics.request('GET', '/', 200, ms);
  const name = 'http_request_duration_seconds';
  const text = metrics.text();
  for (const line of [
    `${name}_bucket{method="GET",route="/",le="0.001"} 1`,
    `${name}_bucket{method="GET",route="/",le="0.005"} 2`,
    `${name}_bucket{method="GET",route="/",le="1"} 3`,
    `${name}_bucket{method="GET",route="/",le="300"} 3`,
    `${name}_bucket{method="GET",route="/",le="+Inf"} 4`,
    `${name}_sum{method="GET",route="/"} 401.0025`,
    `${name}_count{method="GET",route="/"} 4`,
    'http_requests_total{method="GET",route="/",status="200"} 4',
  ])
    expect(text).toContain(`${line}\n`);
});

test('an answer is running until it has ended, whatever became of it', () => {
  const metrics = new Metrics();
  const running = (): string => /num_requests_running\{.*\} (\d+)/.exec(metrics.text())![1]!;
  const first = metrics.answer('m');
  const second = metrics.answer('m');
  expect(running()).toBe('2');
  first.ended('unavailable');
  first.ended('stop');
  expect(running()).toBe('1');
  second.came(3);
  second.ended('stop');
  expect(running()).toBe('0');
  const text = metrics.text();
  expect(text).toContain('crucible_answers_failed_total{model_name="m",code="unavailable"} 1\n');
  expect(text).toContain('vllm:request_success_total{model_name="m",finished_reason="stop"} 1\n');
  expect(text).toContain('vllm:generation_tokens_total{model_name="m"} 3\n');
});
