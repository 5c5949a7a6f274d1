import { expect, test } from 'vitest';
import { isLoopback, loopbackNames } from './same-site.ts';

test.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['localhost', true],
  ['LOCALHOST', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['128.0.0.1', false],
  ['fd00::1', false],
  ['::ffff:10.0.0.1', false],
  ['localhost.example', false],
  ['', false],
])('what listens at %j is reached from this machine alone: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test('the names of this machine include the address that it listens at', () => {
  expect(loopbackNames('127.8.8.8')).toEqual(['localhost', '127.0.0.1', '[::1]', '127.8.8.8']);
  expect(loopbackNames('fd00::1').at(-1)).toBe('[fd00::1]');
});
