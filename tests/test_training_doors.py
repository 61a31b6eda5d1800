"""The ways into training: what is asked before any work, the one-click notebook, and the job on a rented machine."""
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from sentinel.site import pins, trained_with
from sentinel.training.profiles import STEPS, PROFILES, estimate
from sentinel.training.storage import job

ROOT = Path(__file__).parent.parent
COLAB, L4 = ROOT / "nbs" / "colab_t4.ipynb", ROOT / "nbs" / "production_l4.ipynb"


def cells(path):
    "A notebook's code cells, as plain Python."
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [TransformerManager().transform_cell("".join(c["source"])) for c in found if c["cell_type"] == "code"]


def sources(path):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in found if c["cell_type"] == "code"]


# Asked before any work

WITHOUT = """
import sys
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *a: None if name == {missing!r} else find(name, *a)
sys.modules[{missing!r}] = None
from sentinel.cli.main import app
app({arguments!r})
"""


@pytest.mark.parametrize("missing", STEPS)
def test_a_missing_library_is_named_before_any_work(missing, tmp_path):
    code = WITHOUT.format(missing=missing, arguments=["train", "--smoke", "--out", str(tmp_path / "run")])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert missing in done.stderr and "[train]" in done.stderr and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["--seed -1", "--set device=tpu", "--set rows=many", "--profile mega", "--set dtype=float16"])
def test_a_wrong_argument_is_named_before_any_work(wrong, tmp_path):
    command = [sys.executable, "-m", "sentinel", "train", "--smoke", "--out", str(tmp_path / "run"), *wrong.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# One click


def test_colab_is_asked_for_a_gpu():
    assert json.loads(COLAB.read_text(encoding="utf-8"))["metadata"]["accelerator"] == "GPU"


def test_without_a_gpu_colab_stops_at_once(monkeypatch):
    import torch

    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="Change runtime type > T4 GPU"):
        exec(cells(COLAB)[0], {})


def test_colab_installs_in_sight_what_is_tested():
    install = next(s for s in sources(COLAB) if "%pip" in s)
    assert "os.system" not in "".join(sources(COLAB)) and "openenv-sentinel[train]" in install
    named = set(re.findall(r"[\w-]+==[\w.]+", install))
    assert len(named) == 6 and named <= set(pins(ROOT))


def filled_in(monkeypatch, **values):
    "Run the one-click notebook up to its training as on a T4, with a form filled in; returns what was asked of the trainer."
    import huggingface_hub
    import torch

    import sentinel.training.profiles as profiles
    import sentinel.training.stages  # noqa: F401 (before the machine is said to be another)
    import sentinel.training.storage as storage

    asked = []
    t4 = {"cuda": True, "bfloat16": False, "vllm": False, "bitsandbytes": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(profiles, "here", lambda: t4)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    monkeypatch.setattr(huggingface_hub, "login", lambda token: asked.append(("login", token)))
    monkeypatch.setattr("getpass.getpass", lambda prompt: "hf_typed")
    monkeypatch.setattr(storage, "open_store", lambda name: asked.append(("open", name)))
    monkeypatch.setattr(storage, "train_stored", lambda *a, **kw: asked.append(("train", a, kw)))
    space = {}
    for source in cells(COLAB):
        for name, value in values.items():
            source = re.sub(rf"^{name} = .*?(?=#@param)", f"{name} = {value!r} ", source, flags=re.M)
        exec(source, space)
        if "train_stored(" in source:
            return asked, space
    raise AssertionError("it does not train")


def test_every_field_of_the_form_works(monkeypatch):
    form = next(s for s in sources(COLAB) if "#@param" in s)
    fields = re.findall(r"^(\w+) = .*#@param", form, re.M)
    assert fields == ["model", "steps", "seed", "push_to"]
    asked, _ = filled_in(monkeypatch, model="somebody/small", steps=6, seed=3, push_to="")
    (_, (profile, out, store, seed), settings), = asked
    assert (profile, store, seed) == ("colab_t4", "", 3) and "small-6-3" in out
    assert settings["model"] == "somebody/small" and settings["a_steps"] == settings["c_steps"] == 6
    assert not settings["smoke"]


def test_a_login_is_asked_for_where_a_push_is(monkeypatch):
    asked, _ = filled_in(monkeypatch, push_to="you/overseer")
    assert [a[:2] for a in asked[:2]] == [("login", "hf_typed"), ("open", "you/overseer")]
    assert asked[2][1][2] == "you/overseer"


def test_the_estimate_follows_the_form_and_leaves_nothing_out(monkeypatch):
    _, few = filled_in(monkeypatch, steps=2)
    _, many = filled_in(monkeypatch, steps=60)
    assert few["e"]["minutes"]["A"] < many["e"]["minutes"]["A"]
    assert {"installing", "fetching weights", "measuring", "A", "B", "C", "total"} == set(many["e"]["minutes"])


# A rented machine


def test_the_job_pins_what_is_tested():
    head = (ROOT / "sentinel" / "assets" / "production_l4.py").read_text(encoding="utf-8").split("# ///")[1]
    assert set(re.findall(r'"([\w-]+==[^"]+)"', head)) == set(pins(ROOT))
    assert {"torch", "transformers", "trl", "scikit-learn", "jinja2", "huggingface_hub"} <= set(trained_with(ROOT))


def test_the_job_has_time_enough():
    hours = int(re.search(r"--timeout (\d+)h", job())[1])
    assert hours * 60 >= 1.4 * estimate("production_l4")["minutes"]["total"] and not PROFILES["production_l4"].vllm


def test_a_run_on_a_gpu_has_somewhere_to_be_kept(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("SENTINEL_PUSH", "SENTINEL_OUT"):
        monkeypatch.delenv(name, raising=False)
    first, command, settings, *_ = cells(L4)
    space = {}
    exec(first, space)
    with pytest.raises(SystemExit, match="SENTINEL_PUSH"):
        exec(settings, space)
