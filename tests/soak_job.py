"""The production script as a job runs it: stopped with its machine, brought back from the hub by the same command, published."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hub

SCRIPT = Path(__file__).parent.parent / "sentinel" / "assets" / "production_l4.py"


def start(folder, **env):
    "The script in an empty folder, as on a machine of its own."
    folder.mkdir()
    settings = {"SENTINEL_PUSH": "you/overseer", "SENTINEL_OUT": str(folder / "run"), **env}
    return subprocess.Popen([sys.executable, SCRIPT], cwd=folder, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True)


def test_the_job_goes_on_from_what_is_stored(tmp_path):
    with hub.running() as files:
        job = start(tmp_path / "first")
        while job.poll() is None and "run/A/done" not in files:
            time.sleep(.1)
        job.send_signal(signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL and "run/B/done" not in files
        weights = files["run/A/adapter_model.safetensors"]
        again = start(tmp_path / "second")
        said, _ = again.communicate()
        assert again.returncode == 0 and "kept: " in said
        assert files["run/A/adapter_model.safetensors"] == weights  # stage A was not trained again
        assert {"README.md", "receipt.json", "adapter_model.safetensors"} <= set(files)
