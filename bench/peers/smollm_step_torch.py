"""`python smollm_step_torch.py forward|lora BATCH STEPS`: what smollm-once.ts does, by transformers and peft."""

import json
import resource
import statistics
import sys
import time

import peft
import torch
import transformers

mode, batch, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(1)
config = transformers.LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=8192,
    rms_norm_eps=1e-5,
    rope_theta=100000,
    tie_word_embeddings=True,
    use_cache=False,
    attn_implementation="sdpa",
)
model = transformers.LlamaForCausalLM(config)
ids = torch.randint(0, config.vocab_size, (batch, 512))
if mode == "lora":
    lora = peft.LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(model, lora)
    model.train()
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-4, weight_decay=0.01)


def step():
    if mode == "forward":
        with torch.inference_mode():
            return model(input_ids=ids, labels=ids).loss.item()
    optimizer.zero_grad(set_to_none=True)
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    return loss.item()


seconds = []
for i in range(steps + 1):
    start = time.perf_counter()
    step()
    if i > 0:
        seconds.append(time.perf_counter() - start)
print(
    json.dumps(
        {
            "peer": f"PyTorch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}",
            "tokensPerSecond": batch * 512 / statistics.median(seconds),
            "peakMemoryMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
)
