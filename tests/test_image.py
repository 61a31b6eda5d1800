"""The image without Docker: its steps, read from the Dockerfile, are executed in an empty environment and folder."""
import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sentinel.client import connect
from sentinel.ground import write_whole
from sentinel.server.address import listening, ready

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sentinel"
BIN = Path(sys.executable).parent
MOST_MB = 700
SLOW = "slow" in os.environ.get("NB_FLAGS", "")


def steps(text):
    "{instruction: [arguments]} of a Dockerfile, continued lines joined."
    found = {}
    for line in re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.M)).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            found.setdefault(word, []).append(rest)
    return found


DOCKERFILE = steps((PACKAGE / "server" / "Dockerfile").read_text(encoding="utf-8"))


def megabytes(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()) / 2**20


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    "A folder that stands for the image's root, with what COPY and RUN have left in it."
    root = tmp_path_factory.mktemp("image")
    (root / "app").mkdir()
    assert DOCKERFILE["COPY"] == [". /app/sentinel"]
    ignored = [line.removeprefix("**/") for line in (PACKAGE / ".dockerignore").read_text().split()]
    subprocess.run(["cp", "-r", PACKAGE, root / "app" / "sentinel"], check=True)
    for pattern in ignored:
        for path in (root / "app").rglob(pattern):
            subprocess.run(["rm", "-rf", path], check=True)
    subprocess.run([BIN / "uv", "venv", "-q", "--seed", "--python", sys.executable, root / "env"], check=True)
    (install, make_user), = [r.split(" && ") for r in DOCKERFILE["RUN"]]
    assert make_user.startswith("useradd ") and "--uid 1000" in make_user
    install = install.replace("/app/", f"{root}/app/")
    quick = install.replace("python -m pip install --no-cache-dir", f"{BIN}/uv pip install -q --python {root}/env/bin/python")
    real = install.replace("python", f"{root}/env/bin/python", 1)
    for command in [real] if SLOW else [quick, real]:  # the same step, by the quicker installer first
        done = subprocess.run(command.split(), capture_output=True, text=True, cwd=root)
        if not done.returncode:
            return root
    raise AssertionError(done.stderr[-2000:])


def test_the_dockerfile_is_clean_and_declares_what_it_should(tmp_path):
    lint = lambda path: subprocess.run([BIN / "hadolint", path], capture_output=True, text=True)
    done = lint(PACKAGE / "server" / "Dockerfile")
    assert done.returncode == 0, done.stdout
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN pip install openenv\nCMD sentinel serve\n")
    assert lint(tmp_path / "Dockerfile").returncode  # it would have said so
    assert DOCKERFILE["USER"] == ["1000"] and "/health" in DOCKERFILE["HEALTHCHECK"][0] and DOCKERFILE["EXPOSE"] == ["8000"]
    assert (PACKAGE / "server" / "constraints.txt").read_bytes() == (ROOT / "constraints.txt").read_bytes()
    assert "-c /app/sentinel/server/constraints.txt" in DOCKERFILE["RUN"][0]
    assert "ENABLE_WEB_INTERFACE=false" in DOCKERFILE["ENV"][0]  # or `openenv push` switches on a page that the gate does not know


def test_the_image_is_small_and_has_no_torch(image):
    site = next((image / "env" / "lib").glob("python*/site-packages"))
    total = megabytes(site)
    parts = sorted(((round(megabytes(p)), p.name) for p in site.iterdir() if p.is_dir()), reverse=True)[:10]
    assert total <= MOST_MB, parts
    if SLOW:  # installed by the image's own line: what it weighs is shown in nbs/serving/14_image
        told = {"total": round(total), "python": sys.version.split()[0], "parts": {name: mb for mb, name in parts}}
        write_whole(ROOT / "data" / "runs" / "image.json", json.dumps(told, indent=1) + "\n")
    assert not (site / "torch").exists() and not (site / "transformers").exists()
    versions = lambda text: {re.sub(r"[-_.]+", "-", k).lower(): v for k, v in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}
    frozen = subprocess.run([image / "env" / "bin" / "python", "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    installed, pinned = versions(frozen), versions((ROOT / "constraints.txt").read_text())
    assert len(installed) > 80 and installed.items() <= pinned.items()  # nothing that is not pinned


def test_the_image_starts_as_it_says_and_its_small_overseer_decides(image, tmp_path):
    command = json.loads(DOCKERFILE["CMD"][-1])
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command[command.index("8000")] = str(port)
    command[command.index("0.0.0.0")] = "127.0.0.1"
    bare = {"PATH": f"{image}/env/bin", "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command[0] = f"{image}/env/bin/{command[0]}"
    given = dict(pair.split("=", 1) for line in DOCKERFILE["ENV"] for pair in line.split())
    bare |= {k: v.replace("/home/sentinel", str(tmp_path)) for k, v in given.items() if k.startswith("SENTINEL_")}
    (tmp_path / "app").mkdir()
    with subprocess.Popen(command, cwd=tmp_path / "app", env=bare, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            ready(f"http://127.0.0.1:{port}", server, 60)
            check = json.loads(re.search(r"\[.*\]", DOCKERFILE["HEALTHCHECK"][0])[0])
            check = [c.replace(":8000", f":{port}") for c in check]
            assert subprocess.run(check, env=bare, cwd=tmp_path).returncode == 0
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/web/", timeout=20)
            assert page.status == 200 and b"SENTINEL" in page.read()
            with connect(f"http://127.0.0.1:{port}") as env:
                got = env.reset(task_id="action_screen", seed=3)
                while not got.done:
                    got = env.step("block")
                assert len(env.state().rewards) == 5
        finally:
            server.terminate()
        assert server.wait(15) == 0
    assert not list((tmp_path / "app").iterdir()) and (tmp_path / "live.db").is_file()  # the image's user may not write there
    program = ("from sentinel import Episode, generate_scenario, nano_overseer\n"
               "print(nano_overseer()([Episode(generate_scenario('war_room', 42)).observation])[0].decision)")
    said = subprocess.run([image / "env" / "bin" / "python", "-c", program], cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert said.stdout.strip() in ("approve", "flag", "block", "escalate"), said.stderr[-800:]


def test_the_folder_is_what_openenv_wants_to_push():
    from openenv.cli.commands.push import validate_env_structure

    validate_env_structure(PACKAGE)


def test_numbers_are_the_same_everywhere():
    "Version, requirements and packages of the folder's own pyproject.toml are those of the repository."
    import tomllib
    from configparser import ConfigParser

    import yaml
    from setuptools import find_packages

    import sentinel

    config = ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf-8")
    cfg, project = config["DEFAULT"], tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))
    declared = yaml.safe_load((PACKAGE / "openenv.yaml").read_text(encoding="utf-8"))
    versions = {cfg["version"], sentinel.__version__, project["project"]["version"], declared["version"],
                declared["validation"]["task_distribution"]["dataset_version"]}
    assert len(versions) == 1 and f'version="{cfg["version"]}"' in DOCKERFILE["LABEL"][0]
    assert set(project["project"]["dependencies"]) == {*cfg["requirements"].split(), *cfg["serve_requirements"].split()}
    found = {*find_packages(str(ROOT), include=["sentinel", "sentinel.*"]), "sentinel_oversight"} - {"sentinel.assets.sentinel_oversight"}
    assert set(project["tool"]["setuptools"]["packages"]) == found
