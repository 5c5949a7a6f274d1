"""PyTorch's side of the benchmark `gpu`: GPT-2 as bench/src/gpu-process.ts has it.

python3 torch-gpu.py train|decode float32|bfloat16 SHAPE   (SHAPE as JSON; writes JSON)
"""

import json
import subprocess
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

mode, precision, given = sys.argv[1:4]
shape = json.loads(given)
device = "cuda" if torch.cuda.is_available() else "cpu"
width, heads = shape["width"], shape["heads"]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, past=None):
        b, t, _ = x.shape
        parts = self.attn(self.ln_1(x)).split(width, 2)
        q, k, v = (part.view(b, t, heads, -1).transpose(1, 2) for part in parts)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, width))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh")), (k, v)


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(shape["vocabulary"], width), nn.Embedding(1024, width)
        self.h = nn.ModuleList(Block() for _ in range(shape["layers"]))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, ids, past=None):
        start = 0 if past is None else past[0][0].shape[2]
        x = self.wte(ids) + self.wpe(torch.arange(start, start + ids.shape[1], device=ids.device))
        new = []
        for i, block in enumerate(self.h):
            x, kept = block(x, None if past is None else past[i])
            new.append(kept)
        return self.ln_f(x), new

    def logits(self, hidden):
        return hidden @ self.wte.weight.T


def synchronize():
    if device == "cuda":
        torch.cuda.synchronize()


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def tokens(rows, length, shift):
    i = torch.arange(rows * length, device=device).view(rows, length)
    return (i + shift) * 7919 % shape["vocabulary"]


def train(model):
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4, betas=(0.9, 0.95), weight_decay=0.1)
    batch, length = shape["batch"], shape["time"]
    ids, targets = tokens(batch, length, 0), tokens(batch, length, 1)
    seconds = []
    for _ in range(shape["steps"] + 2):
        synchronize()
        start = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model.logits(model(ids)[0])
            loss = F.cross_entropy(logits.float().view(-1, shape["vocabulary"]), targets.view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return batch * length / median(seconds[2:])


@torch.no_grad()
def decode(model):
    rows, prompt, answer = shape["rows"], shape["prompt"], shape["answer"]

    def run(count):
        synchronize()
        start = time.perf_counter()
        hidden, past = model(tokens(rows, prompt, 0))
        for n in range(count):
            ids = model.logits(hidden[:, -1:]).argmax(-1)
            if n + 1 < count:
                hidden, past = model(ids, past)
        ids.cpu()
        synchronize()
        return time.perf_counter() - start

    with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
        run(answer)
        return rows * (answer - 1) / (run(answer) - run(1))


model = Gpt().to(device)
speed = train(model) if mode == "train" else decode(model)
memory = None
if device == "cuda":
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    memory = float(subprocess.run(query, capture_output=True, text=True, check=True).stdout.split("\n")[0])
name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
print(json.dumps({"peer": f"torch {torch.__version__}", "gpu": name, "tokensPerSecond": speed, "memoryMiB": memory}))
