/**
 * TensorFlow.js' time for one Adam training step of the GPT of `gpt-step`: its WebAssembly backend with threads, the
 * fastest that installs from npm alone. Prints one JSON line. Usage: node tfjs-gpt-step.mjs FOLDER STEPS, where FOLDER
 * has node_modules with @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm.
 */
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import { dirname, join, resolve } from 'node:path';

const [folder = '.', stepsText = '3'] = process.argv.slice(2);
const require = createRequire(join(resolve(folder), 'package.json'));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');

wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
wasm.setThreadsCount(cpus().length);
await tf.setBackend('wasm');
await tf.ready();

const [D, LAYERS, HEADS, T, B, V] = [256, 6, 8, 256, 8, 4096];
const normal = (shape) => tf.variable(tf.randomNormal(shape, 0, 0.02));
const zeros = (shape) => tf.variable(tf.zeros(shape));
const norm = () => ({ weight: tf.variable(tf.ones([D])), bias: zeros([D]) });
const linear = (from, to) => ({ weight: normal([from, to]), bias: zeros([to]) });
const tokens = normal([V, D]);
const positions = normal([T, D]);
const blocks = Array.from({ length: LAYERS }, () => ({
  norm1: norm(),
  norm2: norm(),
  qkv: linear(D, 3 * D),
  out: linear(D, D),
  up: linear(D, 4 * D),
  down: linear(4 * D, D),
}));
const last = norm();
const mask = tf.tensor2d(
  Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0)),
  [T, T],
);

const normed = (x, { weight, bias }) => {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
};
const apply = (x, { weight, bias }) => tf.add(tf.matMul(x, weight), bias);
const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
const heads = (x) => tf.transpose(tf.reshape(x, [B, T, HEADS, D / HEADS]), [0, 2, 1, 3]);

function loss(ids, next) {
  // The backend has no kernel for the gradient of a gather: one-hot rows take its place.
  const oneHot = tf.cast(tf.oneHot(tf.reshape(ids, [-1]), V), 'float32');
  let h = tf.reshape(tf.add(tf.reshape(tf.matMul(oneHot, tokens), [B, T, D]), positions), [B * T, D]);
  for (const block of blocks) {
    const [q, k, v] = tf.split(apply(normed(h, block.norm1), block.qkv), 3, -1).map(heads);
    const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(D / HEADS)), mask);
    const mixed = tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]);
    h = tf.add(h, apply(tf.reshape(mixed, [B * T, D]), block.out));
    h = tf.add(h, apply(gelu(apply(normed(h, block.norm2), block.up)), block.down));
  }
  const logits = tf.matMul(normed(h, last), tokens, false, true);
  const targets = tf.oneHot(tf.reshape(next, [-1]), V);
  return tf.mean(tf.sub(tf.logSumExp(logits, -1), tf.sum(tf.mul(logits, targets), -1)));
}

const draw = () => tf.cast(tf.randomUniform([B, T], 0, V), 'int32');
const [ids, next] = [draw(), draw()];
const optimizer = tf.train.adam(3e-4);
const seconds = [];
const steps = Number(stepsText);
for (let i = 0; i < steps + 1; i++) {
  const start = performance.now();
  const value = optimizer.minimize(() => loss(ids, next), true);
  await value.data();
  value.dispose();
  if (i >= 1) seconds.push((performance.now() - start) / 1000);
}
seconds.sort((a, b) => a - b);
const median = seconds[Math.floor(seconds.length / 2)];
console.log(
  JSON.stringify({
    peer: `tfjs ${tf.version['tfjs-core']} wasm, ${wasm.getThreadsCount()} threads`,
    step_s: median,
    tokens_per_s: (B * T) / median,
  }),
);
process.exit(0);
