import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { freePort, temporaryFolder } from '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { crucible, crucibleUnread, freePorts } from './testing/crucible.ts';

/** A command that was given something wrong: one clear line, nothing on standard output, no stack trace, exit code 2. */
async function expectRefusal(args: readonly string[], stderr: string | RegExp, code = 2): Promise<void> {
  const ending = await crucible(args);
  expect(ending).toMatchObject({
    code,
    stdout: '',
    stderr: typeof stderr === 'string' ? `crucible: ${stderr}\n` : (expect.stringMatching(stderr) as string),
  });
  expect(ending.stderr).not.toMatch(/^\s+at /m);
}

function fileWith(lines: readonly string[]): string {
  const path = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

function corpus(): string {
  const path = join(temporaryFolder(), 'text.txt');
  writeFileSync(path, Array.from({ length: 200 }, (_, i) => `Line ${i} says ${i * 7}.\n`).join(''));
  return path;
}

describe('--help', () => {
  it.each([
    [
      [],
      [
        'up',
        'forge',
        'train',
        'chat',
        'ask',
        'eval',
        'models',
        'pull',
        'export',
        'run',
        'mcp',
        'jobs',
        'keys',
        'serve',
        '--home',
      ],
    ],
    [['up'], ['--port', '--host', '--preset', '--device', '--precision', '--seed', '--no-forge', '--home']],
    [
      ['forge'],
      ['--corpus', '--instructions', '--preferences', '--name', '--preset', '--seed', '--set', '--json', '--home'],
    ],
    [['train'], ['pretrain', 'sft', 'reward', 'ppo', '--home']],
    [
      ['train', 'pretrain'],
      ['--name', '--corpus', '--preset', '--seed', '--set', '--json'],
    ],
    [
      ['train', 'sft'],
      ['--name', '--base', '--instructions', '--skip-invalid', '--seed', '--set', '--json'],
    ],
    [
      ['train', 'reward'],
      ['--name', '--base', '--preferences', '--skip-invalid', '--seed', '--set', '--json'],
    ],
    [
      ['train', 'ppo'],
      ['--name', '--base', '--reward-model', '--prompts', '--skip-invalid', '--seed', '--set', '--json'],
    ],
    [
      ['instruct'],
      [
        ...[
          '--model',
          '--hold-out',
          '--instructions',
          '--no-world',
          '--cap',
          '--examples',
          '--seed',
          '--set',
          '--name',
        ],
        ...['--json', '--home'],
      ],
    ],
    [['chat'], ['--model', '--system', '--temperature', '--max-tokens', '--url', '--json', '--home']],
    [
      ['ask'],
      [
        '--strategy',
        '--model',
        '--url',
        '--system',
        '--answer',
        '--choices',
        '--examples',
        '--shots',
        '--select',
        '--documents',
        '--samples',
        '--actions',
        '--wording',
        '--temperature',
        '--max-tokens',
        '--seed',
        '--seconds',
        '--prompts',
        '--json',
        'self-consistency-then-react',
        '--home',
      ],
    ],
    [
      ['eval'],
      [
        '--model',
        '--split',
        '--count',
        '--seed',
        '--temperature',
        '--strategies',
        '--tasks',
        '--limit',
        '--url',
        '--wording',
        '--shots',
        '--samples',
        '--parallel',
        '--out',
        '--json',
        '--home',
      ],
    ],
    [['models'], ['list', 'import', '--home']],
    [['models', 'list'], ['--json']],
    [
      ['models', 'import'],
      ['--name', '--json'],
    ],
    [['pull'], ['--revision', '--name', '--to', '--json', '--home']],
    [
      ['export'],
      [
        '--format',
        '--to',
        '--type',
        '--max-shard-size',
        '--external-data',
        '--json',
        'huggingface',
        'onnx',
        'gguf',
        '--home',
      ],
    ],
    [
      ['run'],
      [
        '--file',
        '--out',
        '--value',
        '--timeout',
        '--memory',
        '--processes',
        '--disk',
        '--boundary',
        '--json',
        '--home',
      ],
    ],
    [['jobs'], ['list', 'cancel', '--home']],
    [['jobs', 'list'], ['--json']],
    [['keys'], ['list', 'add', 'revoke', '--home']],
    [
      ['keys', 'add'],
      ['--scopes', '--requests', '--tokens', '--runs', '--days', '--home'],
    ],
    [
      ['serve'],
      ['policy', 'reward', 'trainer', 'retriever', 'sandbox', 'gateway', '--bus', '--host', '--port', '--home'],
    ],
  ])('of crucible %j names everything it takes', async (words, names) => {
    const { code, stdout, stderr } = await crucible([...words, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: ${['crucible', ...words].join(' ')}`);
    expect(stdout).not.toMatch(/default: (\[\]|\{\}|"")/);
    for (const name of names) expect(stdout).toMatch(new RegExp(`^ +(-., )?${name}\\b|"${name}"`, 'm'));
  });
});

it('ends without a word when nobody reads what it says', async () => {
  expect((await crucibleUnread(['--help'])).stderr).toBe('141\n');
});

describe('a wrong word', () => {
  it.each([
    [['frge'], "crucible: unknown command 'frge'\n(Did you mean forge?)\n"],
    [['train', 'stf'], "crucible: unknown command 'stf'\n(Did you mean sft?)\n"],
    [['forge', '--pre-set', 'x'], "crucible: unknown option '--pre-set'\n(Did you mean --preset?)\n"],
    [
      ['forge', '--seed', '-1'],
      "crucible: option '--seed <number>' argument '-1' is invalid. it must be a whole number from 0 to 4294967295\n",
    ],
    [
      ['forge', '--set', 'steps'],
      "crucible: option '--set <option>' argument 'steps' is invalid. it must be NAME=VALUE, as in sft.steps=100\n",
    ],
    [
      ['forge', '--set', 'sft=1', '--set', 'sft.steps=2'],
      "crucible: option '--set <option>' argument 'sft.steps=2' is invalid. sft has been given as a value already, and sft.steps is an option of a group\n",
    ],
    [
      ['forge', '--set', 'sft.steps=2', '--set', 'sft=1'],
      "crucible: option '--set <option>' argument 'sft=1' is invalid. sft is a group of options that have been given already\n",
    ],
    [['train', 'sft', '--name', 'x'], "crucible: required option '--base <model>' not specified\n"],
    [['models', 'import', '.'], "crucible: required option '--name <name>' not specified\n"],
    [['export', 'm', '--to', 'x'], "crucible: required option '--format <format>' not specified\n"],
    [
      ['export', 'm', '--to', 'x', '--format', 'zip'],
      "crucible: option '--format <format>' argument 'zip' is invalid. Allowed choices are huggingface, onnx, gguf.\n",
    ],
    [
      ['export', 'm', '--to', 'x', '--format', 'onnx', '--max-shard-size', '5 apples'],
      "crucible: option '--max-shard-size <size>' argument '5 apples' is invalid. it must be a number of bytes, as 500MB or 2GB\n",
    ],
    [
      ['run', 'x.py', '--timeout', 'long'],
      "crucible: option '--timeout <seconds>' argument 'long' is invalid. it must be a number from 0.001 to 300\n",
    ],
    [
      ['run', 'x.py', '--boundary', 'hope'],
      "crucible: option '--boundary <name>' argument 'hope' is invalid. Allowed choices are auto, bubblewrap, pyodide.\n",
    ],
    [['train', 'pretrain', '--name', 'x'], "crucible: required option '--corpus <path>' not specified\n"],
    [
      ['eval', '--split', 'train'],
      "crucible: option '--split <split>' argument 'train' is invalid. Allowed choices are heldout, unseen.\n",
    ],
    [
      ['ask', 'hi', '--strategy', 'guess'],
      "crucible: option '--strategy <name>' argument 'guess' is invalid. Allowed choices are direct, few-shot, cot, step-by-step, self-consistency, rag, pal, react, react-then-self-consistency, self-consistency-then-react.\n",
    ],
    [
      ['serve', 'polcy'],
      "crucible: command-argument value 'polcy' is invalid for argument 'service'. Allowed choices are policy, reward, trainer, retriever, sandbox, actor, gateway.\n",
    ],
  ])('in crucible %j is named, with what was meant', async (args, message) => {
    expect(await crucible(args)).toMatchObject({ code: 2, stdout: '', stderr: `${message}(see --help)\n` });
  });

  it.each([
    [['up', '--preset', 'huge'], /^crucible: --preset huge does not exist; there are tiny, .*smoke\n$/],
    [['up', '--port', '99999'], /^crucible: --port 99999: .*65535/],
    [['chat', 'hi', '--temperature', '3'], '--temperature 3: it must be a number from 0 to 2'],
    [
      ['ask', 'hi', '--strategy', 'rag'],
      '--strategy rag searches texts: name some with --documents, or a --collection',
    ],
    [['ask', 'hi', '--strategy', 'cot'], '--strategy cot shows solved examples: name a file with --examples'],
    [['serve', 'trainer', '--bus', 'foo://x'], /^crucible: --bus foo:\/\/x: .*nats:\/\/HOST:PORT/],
    [['forge', '--preset', 'huge'], /^crucible: preset huge does not exist; there are tiny, .*smoke\n$/],
    [['forge', '--set', 'sft.stepz=3'], /^crucible: option sft\.stepz does not exist; there are .*\bsteps, .*\n$/],
    [
      ['forge', '--set', 'dpo.steps=3'],
      /^crucible: option dpo does not exist; there are .*pretrain, sft, reward, ppo.*\n$/,
    ],
    [['forge', '--name', 'My Model'], /^crucible: --name "My Model": 1 to 62 of the characters/],
    [['forge', '--corpus', '/no/such/corpus'], '--corpus: /no/such/corpus does not exist'],
    [['forge', '--instructions', '/'], "--corpus is empty; with instructions of one's own a corpus is needed too"],
    [
      ['train', 'sft', '--name', 'x', '--base', 'nope', '--instructions', '/'],
      '--base: model nope does not exist; known are none yet',
    ],
    [['eval', '--model', 'nope'], 'model nope does not exist; known are none yet'],
    [['eval', '--limit', '3'], '--limit goes with --strategies'],
    [
      ['eval', '--strategies', '--count', '3'],
      '--count does not go with --strategies; questions of every task are --limit',
    ],
    [['jobs', 'cancel', 'nope'], 'job nope does not exist'],
    [['run', '/no/such/program.py'], /^crucible: the program: \/no\/such\/program\.py cannot be read: ENOENT/],
    [['run', '/'], 'the program: / is not a file'],
  ])('in crucible %j is refused before any work', async (args, message) => {
    await expectRefusal(['--home', temporaryFolder(), ...args], message);
  });
});

describe("a user's own data", () => {
  it('must be there: a corpus folder without text is named', async () => {
    const empty = temporaryFolder();
    await expectRefusal(
      ['--home', temporaryFolder(), 'forge', '--corpus', empty, '--json'],
      `${empty}: there is no .txt or .md file in it`,
    );
  });

  it('must be UTF-8: the file and the byte are named', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'latin.txt'), Buffer.from('caf\u00e9 au lait\n', 'latin1'));
    const args = ['--home', temporaryFolder(), 'forge', '--corpus', folder, '--json'];
    await expectRefusal(args, new RegExp(`^crucible: ${join(folder, 'latin.txt')}: .*UTF-8`));
  });

  it('is named with the line that is broken', async () => {
    const instructions = fileWith([
      '{"question": "What is 1 + 1?", "answer": "2"}',
      '{"question": "What is 2 + 2?", "answer": "4"',
    ]);
    await expectRefusal(
      ['--home', temporaryFolder(), 'forge', '--corpus', corpus(), '--instructions', instructions, '--json'],
      new RegExp(`^crucible: ${instructions}:2: `),
    );
  });

  it('must have answers: examples without are named with their line', async () => {
    const examples = fileWith(['{"question": "q", "answer": "a", "reasoning": "r"}', '{"question": "What is 2 + 2?"}']);
    await expectRefusal(
      ['--home', temporaryFolder(), 'ask', 'hi', '--strategy', 'few-shot', '--examples', examples],
      `${examples}:2: answer is missing`,
    );
  });

  it('must compare: equal answers are named with their line', async () => {
    const preferences = fileWith(['{"prompt": "Hi", "chosen": "Hello", "rejected": "Hello"}']);
    await expectRefusal(
      ['--home', temporaryFolder(), 'forge', '--corpus', corpus(), '--preferences', preferences, '--json'],
      new RegExp(`^crucible: ${preferences}:1: `),
    );
  });
});

describe('without anything made', () => {
  it('models, jobs and chat say so', async () => {
    const home = temporaryFolder();
    expect(await crucible(['--home', home, 'models'])).toMatchObject({
      code: 0,
      stdout: 'There are no models yet. `crucible forge` makes some.\n',
    });
    expect(JSON.parse((await crucible(['--home', home, 'models', '--json'])).stdout)).toEqual({ models: [] });
    expect(await crucible(['--home', home, 'jobs'])).toMatchObject({ code: 0, stdout: 'There are no jobs.\n' });
    expect(JSON.parse((await crucible(['--home', home, 'jobs', 'list', '--json'])).stdout)).toEqual({ jobs: [] });
    await expectRefusal(['--home', home, 'chat', 'hi'], 'there are no models yet; `crucible forge` makes some', 1);
  });
});

describe('a busy port', () => {
  it('is named, and nothing stays behind', async () => {
    const port = await freePort();
    const taken = createServer().listen(port, '127.0.0.1');
    onTestFinished(() => void taken.close());
    const home = temporaryFolder();
    const env = { ...freePorts, CRUCIBLE_GATEWAY_PORT: String(port) };
    expect(await crucible(['--home', home, 'up', '--no-forge'], { env })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `crucible: port ${port} of 127.0.0.1 is taken by another process\n`,
    });
    const trainer = await crucible([
      '--home',
      home,
      'serve',
      'trainer',
      '--bus',
      `embedded:${join(home, 'bus')}`,
      '--port',
      String(port),
    ]);
    expect(trainer.code).toBe(1);
    expect(trainer.stderr).toMatch(new RegExp(`crucible: .*\\b${port}\\b.*\\n$`));
    expect(trainer.stderr).not.toMatch(/^\s+at /m);
  });
});

describe('a device', () => {
  it('that does not exist is refused', async () => {
    const expected = '--device gpu: a device is one of auto, cpu, webgpu, cuda';
    await expectRefusal(['up', '--no-forge', '--device', 'gpu'], expected);
    await expectRefusal(
      ['train', 'pretrain', '--corpus', corpus(), '--name', 'x', '--precision', 'half'],
      '--precision half: a precision is one of float32, float16, bfloat16',
    );
  });

  it('that is not there ends a service with what it needs', async () => {
    const args = [
      '--home',
      temporaryFolder(),
      'serve',
      'reward',
      '--bus',
      'embedded:',
      '--port',
      '0',
      '--device',
      'cuda',
    ];
    await expectRefusal(
      args,
      /^crucible: device cuda: .*(missing in .*onnxruntime-gpu|does not load|Linux on x64)/m,
      1,
    );
  });
});
