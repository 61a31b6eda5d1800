"""What the hub will ask of an environment, under the names of its checks (RFC 008, local lane).

The official validator grades five of them today (see nbs/serving/13_validation); these are ours, over real sockets where it matters.
"""
import importlib.util
import inspect
import json
import os
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from sentinel.client import SentinelEnv, connect
from sentinel.models import SentinelObservation
from sentinel.oversight.grader import TABLE, WEIGHTS
from sentinel.server.environment import SentinelEnvironment
from sentinel.server.load import measured
from sentinel.server.run import process, running
from sentinel.server.tasks import TYPES, count, task
from sentinel.world.scenarios import TIERS

PACKAGE = Path(__file__).parent.parent / "sentinel"
DECLARED = yaml.safe_load((PACKAGE / "openenv.yaml").read_text(encoding="utf-8"))["validation"]
CANARIES = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted((PACKAGE / DECLARED["capabilities"]["canaries"]).glob("*.json"))}
assert len(CANARIES) >= 5
TASKS = [task("dev", k * count("dev") // 40)["reset"] for k in range(40)]
spec = importlib.util.spec_from_file_location("oracle", PACKAGE / DECLARED["capabilities"]["oracle"]["location"])
oracle = importlib.util.module_from_spec(spec)
spec.loader.exec_module(oracle)


@pytest.fixture(scope="module")
def other():
    "A server in a process of its own, where strings have other hashes: (its address, the process)."
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "1" if before != "1" else "2"
    try:
        with process() as found:
            yield found
    finally:
        os.environ.pop("PYTHONHASHSEED")
        if before is not None:
            os.environ["PYTHONHASHSEED"] = before


@pytest.fixture(scope="module")
def url():
    with running() as address:
        yield address


def played(env, action, **reset):
    "The answers of an episode in which the same is said about everything, as data."
    out = [env.reset(**reset)]
    while not out[-1].done:
        out.append(env.step(action))
    return [getattr(x, "observation", x).model_dump() for x in out]


def earned(action):
    "What a constant answer earns over the tasks, divided by what the oracle earns."
    env = SentinelEnvironment()
    return sum(sum(m["reward"] or 0 for m in played(env, action, **t)) for t in TASKS) / ORACLE[0]


def over_the_tasks():
    env = SentinelEnvironment()
    return tuple(map(sum, zip(*(oracle.played(env.reset, env.step, t) for t in TASKS))))


ORACLE = over_the_tasks()  # (earned, possible)


def test_seed_control(url):
    "A seed decides everything, another one decides otherwise, and none at all is drawn and told."
    with connect(url) as env:
        a, b, c = (played(env, "flag", task_id="war_room", seed=s) for s in (3, 3, 4))
        assert a == b != c
        env.reset(task_id="war_room")
        drawn = env.state().seed
        env.reset(task_id="war_room")
        assert drawn is not None and drawn != env.state().seed
        assert played(env, "flag", task_id="war_room", seed=drawn)[0] == played(env, "flag", task_id="war_room", seed=drawn)[0]


def test_episode_determinism(url, other):
    "The same bytes in this process, over a socket, and from a server in another process with another hash seed."
    action = {"decision": "escalate", "justification": "It would lose the unflushed writes."}
    for tier in TIERS:
        here = played(SentinelEnvironment(), action, task_id=tier, seed=11, split="dev")
        for address in (url, other[0]):
            with connect(address) as env:
                assert json.dumps(played(env, action, task_id=tier, seed=11, split="dev")) == json.dumps(here)


def test_episode_isolation(url):
    "Two sessions that take turns see what they would see alone; a reset leaves nothing behind."
    alone = [played(SentinelEnvironment(), "block", task_id="war_room", seed=s) for s in (1, 2)]
    with connect(url) as a, connect(url) as b:
        seen = [[a.reset(task_id="war_room", seed=1)], [b.reset(task_id="war_room", seed=2)]]
        while not seen[0][-1].done:
            for env, out in zip((a, b), seen):
                out.append(env.step("block"))
        assert [[x.observation.model_dump() for x in out] for out in seen] == alone
        a.reset(task_id="drift_ops", seed=5, reward="binary", reveal="after")
        a.step("approve")
        assert played(a, "block", task_id="war_room", seed=1) == alone[0]


def test_oracle_max(url, monkeypatch, capsys):
    "The Overseer that knows the truth earns what can be earned, but for the declared tolerance."
    got, possible = ORACLE
    assert got / possible >= 1 - DECLARED["reward"]["oracle_tolerance"]
    monkeypatch.setattr("sys.argv", ["oracle.py", url, "4"])  # the script itself, as the declaration names it
    oracle.main()
    told = json.loads(capsys.readouterr().out)
    assert told["tasks"] == 4 and told["share"] >= 1 - DECLARED["reward"]["oracle_tolerance"]


@pytest.mark.parametrize("decision", ["approve", "flag", "block", "escalate"])
def test_floor_gap(decision):
    "Saying the same about everything stays below the oracle by the declared margin."
    assert earned({"decision": decision}) <= 1 - DECLARED["reward"]["floor_margin"]


@pytest.mark.parametrize("name", CANARIES)
def test_canary_floor(name):
    "So does a constant answer that is dressed up for the grader."
    assert earned(CANARIES[name]["action"]) <= 1 - DECLARED["reward"]["floor_margin"]


def test_no_solution_leakage(url):
    "No field of any message or state is named after what is derived from a label, and asking changes that: the search can find."
    telling = re.compile(r"\b(label|class|severity_weight|weight|effects|shaped|binary|justified|grade|revealed|counterfactual|families)\b")
    fields = lambda x: set(x) | {f for v in x.values() for f in fields(v)} if isinstance(x, dict) else \
        {f for v in x for f in fields(v)} if isinstance(x, list) else set()
    with connect(url) as env:
        for tier in TIERS:
            told = fields(played(env, "flag", task_id=tier, seed=9)) | fields(env.state().model_dump())
            assert not {f for f in told if telling.fullmatch(f)}
        assert any(telling.fullmatch(f) for f in fields(played(env, "flag", task_id="war_room", seed=9, reveal="after")))
    schema = json.dumps(SentinelObservation.model_json_schema()["properties"]["metadata"])
    assert not telling.search(schema)


def test_verifier_determinism():
    "The same decision about the same proposal is paid the same, whatever was asked before."
    a, b = SentinelEnvironment(), SentinelEnvironment()
    b.reset(task_id="drift_ops", seed=1)
    for _ in range(7):
        b.step("approve")
    said = {"decision": "block", "justification": "Blocked: it would lose the unflushed writes of the database."}
    for seed in range(20):
        assert [m["reward"] for m in played(a, said, seed=seed)] == [m["reward"] for m in played(b, said, seed=seed)]


def test_replayability(url):
    "An episode can be played again from its reset and its actions alone."
    actions = [{"decision": d, "step": k} for k, d in enumerate(("approve", "block", "flag", "escalate", "approve"))]
    with connect(url) as env:
        first = [env.reset(seed=21, episode_id="again").observation, *(env.step(a).observation for a in actions)]
        state = env.state()
        env.reset(**{k: getattr(state, k) for k in ("task_id", "seed", "split", "preview", "responder", "reward", "episode_id")})
        assert [o.model_dump() for o in first[1:]] == [env.step(a).observation.model_dump() for a in actions]
        assert env.state() == state


def test_state_contract(url):
    "The state names the episode that was asked for and counts its steps: 0, 1, 2, ..."
    with connect(url) as env:
        env.reset(task_id="war_room", seed=2, episode_id="mine")
        for k in range(15):
            s = env.state()
            assert (s.episode_id, s.step_count, s.done, s.steps) == ("mine", k, False, 15)
            env.step("block")
        assert (env.state().step_count, env.state().done) == (15, True)


def test_reward_well_formed(url):
    "Every reward of a step is a number within the declared range, and that of a reset is none; both ends are reached."
    low, high = DECLARED["reward"]["range"]
    best = max(max(TABLE[c].values()) * WEIGHTS[c] for c in TABLE) + .3
    worst = min(min(TABLE[c].values()) * WEIGHTS[c] for c in TABLE)
    assert (low, high) == (worst, best)
    with connect(url) as env:
        for paid, bounds in (("shaped", (low, high)), ("binary", (0, 1))):
            for seed in range(6):
                first, *rest = [m["reward"] for m in played(env, "approve", task_id="war_room", seed=seed, reward=paid)]
                assert first is None and all(isinstance(r, float) and bounds[0] <= r <= bounds[1] for r in rest)
    for action in ("approve", "flag", "block", "escalate"):
        assert low <= earned({"decision": action}) <= high  # and so is an episode's, divided by the oracle's


def test_observation_schema(url):
    "What is sent fits the schema that is published."
    from urllib.request import urlopen

    with urlopen(f"{url}/schema") as answer:
        published = Draft202012Validator(json.loads(answer.read())["observation"])
    with connect(url) as env:
        for m in played(env, "flag", task_id="drift_ops", seed=3):
            assert not list(published.iter_errors(m))


def test_resource_envelope(other):
    "A server of its own stays within the declared memory, and an episode within the declared time."
    address, told = other[0], lambda name: measured(other[0], name)
    with connect(address) as env:
        before = told("process_cpu_seconds_total")
        for seed in range(20):
            played(env, "escalate", task_id="drift_ops", seed=seed)
        spent = (told("process_cpu_seconds_total") - before) / 20
    assert 0 < told("process_resident_memory_bytes") / 2**20 <= DECLARED["resources"]["memory_mb"]
    assert 0 < spent <= DECLARED["resources"]["episode_timeout_s"] * DECLARED["resources"]["cpu"]


def test_rubric_introspectable():
    "The reward is a tree whose children add up to it."
    env = SentinelEnvironment()
    env.reset(task_id="war_room", seed=3)
    reward = env.step({"decision": "block", "justification": "Blocked: the unflushed writes of the database would be lost."}).reward
    scores = {name: r.last_score for name, r in env.rubric.named_rubrics()}
    assert set(scores) == {"decision", "justification"} and round(sum(scores.values()), 4) == reward == env.rubric.last_score


def test_tool_declaration_accuracy():
    "The plain variant declares no tools and has none; the other one has the four, and no more."
    from sentinel.oversight.verdicts import DECISIONS
    from sentinel.server.tools import SentinelTools

    assert not DECLARED["capabilities"].get("declared_tools")
    assert not hasattr(SentinelEnvironment, "mcp_server")
    assert set(SentinelTools()._get_server_tools(SentinelTools().mcp_server)) == set(DECISIONS)


def test_task_declaration_accuracy(url):
    "The declared numbers of tasks are those that are served, every split is there, and the tests are marked as such."
    from urllib.request import Request, urlopen

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{url}{path}", data, {"content-type": "application/json"})) as answer:
            return json.loads(answer.read())

    declared = DECLARED["capabilities"]["declared_task_count"]
    assert set(declared) == set(TYPES)
    assert {s: ask("/sentinel/num_tasks", {"split": s})["num_tasks"] for s in declared} == declared
    assert {s["name"] for s in ask("/sentinel/splits") if s["type"] == "test"} == {"heldout", "heldout_1k", "ood"}
    with SentinelEnv(base_url=url) as env:
        for s, n in declared.items():
            last = ask("/sentinel/task", {"split": s, "index": n - 1})["task"]
            env.reset(**last["reset"])
            assert env.state().split == s


def test_dependency_pinning():
    "Whatever the image installs is pinned, and every check of this file has the name of one in the validator's list."
    from openenv.validation.policy import load_policy
    from openenv.validation.types import Lane

    known = {c.split(".", 1)[1] for c in load_policy("v2").entries_for_lane(Lane.LOCAL)}
    own = {name.removeprefix("test_") for name, f in globals().items() if name.startswith("test_") and inspect.isfunction(f)}
    assert own <= known, own - known
    lines = (PACKAGE / "server" / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", x) for x in lines) and len(lines) > 200
