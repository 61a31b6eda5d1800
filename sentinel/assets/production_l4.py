# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#     "openenv-sentinel[train] @ git+https://github.com/sentinel-oversight/sentinel",
#     "torch==2.13.0",
#     "transformers==5.23.0",
#     "trl==1.16.0",
#     "peft==0.21.2",
#     "datasets==5.2.0",
#     "accelerate==1.15.0",
#     "bitsandbytes==0.50.2",
#     "onnx==1.23.2",
#     "onnxscript==0.7.2",
#     "onnxruntime==1.31.1",
#     "tokenizers==0.23.3",
#     "pyarrow==26.0.1",
#     "scikit-learn==1.9.1",
#     "matplotlib==3.11.2",
#     "jinja2==3.1.6",
#     "huggingface_hub==2.4.0",
# ]
# ///
"""Train Qwen3-1.7B as an Overseer on one L4.

Written from nbs/production_l4.ipynb by `python -m sentinel.site script`."""
import os, tempfile, warnings
from importlib.util import find_spec
import torch
from sentinel.training.profiles import estimate, ready
from sentinel.training.receipts import check_receipt, report
from sentinel.training.storage import job, model_card, train_stored
warnings.filterwarnings("ignore")

print(job("YOU/overseer"))

gpu, asked = torch.cuda.is_available(), os.environ.get
push_to, seed = asked("SENTINEL_PUSH", ""), int(asked("SENTINEL_SEED", "0"))
out = asked("SENTINEL_OUT", "runs/production" if gpu else f"{tempfile.mkdtemp()}/production")
if gpu and not push_to and "SENTINEL_OUT" not in os.environ:
    raise SystemExit("where shall the run be kept? Set SENTINEL_PUSH to a hub repository, or SENTINEL_OUT to a folder")
changes = dict(vllm=find_spec("vllm") is not None) if gpu else dict(model="tiny", device="cpu", dtype="float32")
profile = ready("production_l4", seed, smoke=not gpu, **changes)
print(profile)

print(estimate("production_l4"))

receipt = train_stored("production_l4", out, push_to, seed, smoke=not gpu, **changes)

lines, head, body = report(receipt)
print(*lines, sep="\n")
for row in [head, *body]: print(" | ".join(row))

print(model_card(receipt)[:1200])

assert check_receipt(receipt) == []
