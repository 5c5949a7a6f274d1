"""Speed of Hugging Face's tokenizers on one thread: bench/src/tokenizer.ts asks.

python3 tokenizers_encode.py TOKENIZER.json TEXTS.json     one JSON object on standard output
"""

import array
import hashlib
import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
tokenizer.encode_special_tokens = True
with open(sys.argv[2], encoding="utf-8") as file:
    texts = json.load(file)

# The fast one leaves offsets out, as our `encode` does.
tokenizer.encode_batch_fast(texts[: len(texts) // 20], add_special_tokens=False)
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
tokenizer.encode_special_tokens = True
start = time.perf_counter()
encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
seconds = time.perf_counter() - start

digest = hashlib.sha256()
for encoding in encodings:
    digest.update(array.array("i", encoding.ids).tobytes())
print(json.dumps({"peer": f"tokenizers {tokenizers.__version__}", "seconds": seconds, "digest": digest.hexdigest()}))
