# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#     "openenv-sentinel[train] @ git+https://github.com/sentinel-oversight/sentinel",
#     "torch==2.13.0",
#     "transformers==5.17.0",
#     "trl==1.15.0",
#     "peft==0.21.2",
#     "datasets==4.8.5",
#     "bitsandbytes==0.50.2",
#     "unsloth==2026.10.9",
#     "unsloth-zoo==2026.10.9",
#     "vllm==0.31.0",
# ]
# ///
"""Train Qwen3-1.7B as an Overseer on one L4. Written from nbs/production_l4.ipynb by `python -m sentinel.site script`."""
import warnings; warnings.filterwarnings("ignore")
import os, tempfile
import torch
from sentinel.training.export import model_card, push
from sentinel.training.pipeline import train
from sentinel.training.profiles import estimate, profile_named
from sentinel.training.receipts import check_receipt, report

gpu = torch.cuda.is_available()
out, seed, push_to = os.environ.get("SENTINEL_OUT", "runs/production" if gpu else tempfile.mkdtemp() + "/production"), int(os.environ.get("SENTINEL_SEED", "0")), os.environ.get("SENTINEL_PUSH", "")
changes = {} if gpu else dict(model="tiny", device="cpu", dtype="float32", vllm=False)
profile = profile_named("production_l4", smoke=not gpu, **changes)
print(profile)

print(estimate("production_l4"))

receipt = train("production_l4", out, seed, smoke=not gpu, resume=os.path.exists(f"{out}/receipt.json"), **changes)

lines, head, body = report(receipt)
print(*lines, sep="\n")
for row in [head, *body]: print(" | ".join(row))

card = model_card(receipt)
print(card[:1200])
if push_to: push(out, push_to)

assert check_receipt(receipt) == []
