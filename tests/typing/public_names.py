"""Every public name, used as somebody would. Type checkers read this file, and it runs."""
# pyright: strict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import assert_type

import sentinel
from sentinel import (
    FAMILIES, PROFILES, TIERS, Action, Condition, Decision, Effects, Episode, Grade, Item, Knobs, Label, NoVerdict, Observation,
    Overseer, Preview, Responder, Row, Runs, Scenario, SentinelAction, SentinelEnv, SentinelObservation, SentinelState, Service, State, Turned, Verdict, World, apply, begin, classify, connect, diagnose,
    drift, evaluate, generate_scenario, grade, grade_overseer_decision, http_overseer, lesson, minimal_pair, nano_overseer, one_by_one, overseer_named, parse_action,
    parse_reply, propose, read_receipt, render, resolved, scenarios_of, settle, tick, train, trajectory, walk,
)
from sentinel.oversight.reading import case_of
from sentinel.server.run import running

assert_type(sentinel.__version__, str)

# The world
scenario: Scenario = generate_scenario("war_room", 3)
world: World = scenario.world
first: Service = world.services[0]
broken: Condition = world.conditions[0]
action: Action = parse_action("restart_service:mint-api")
label, effects = classify(world, action)
assert_type(label, Label)
assert_type(effects, Effects)
after, known = apply(world, "submit_severity:2")
assert_type(after, World)
assert_type(known.notes, tuple[str, ...])
assert_type(resolved(tick(world, 5)), bool)
assert_type(diagnose(world, "check_metrics", 0), list[str])
moved = drift(world, "rename_service", "announced", Random(0).random)
assert_type(moved.notice, str)
proposal = propose(world, Random(0).random, Knobs(correct=.4, neutral=.25))
assert_type(proposal.label, Label)
pair = minimal_pair("kill_query")
assert_type(pair.right, World)
assert_type(next(scenarios_of("dev")), Scenario)
assert_type(TIERS["war_room"].steps, int)
assert_type(FAMILIES["config_push"].remedy, tuple[tuple[str, int], ...])
assert Scenario.from_dict(scenario.to_dict()).to_dict() == scenario.to_dict()
print(first.kind, broken.kind, action.key)

# Oversight
preview: Preview = "none"
items: list[Item] = list(trajectory(scenario, preview))
seen: Observation = items[0].observation
assert_type(render(seen)[0]["content"], str)
assert Observation.from_dict(seen.to_dict()) == seen


def block_everything(batch: Sequence[Observation]) -> list[str]:
    return ["block" for _ in batch]


def careful(o: Observation) -> Verdict:
    said: Decision = "escalate" if o.proposed.action.name == "scale_service" else "approve"
    return Verdict(said, "a rule of mine", .5)


mine: Overseer = one_by_one(careful)
runs: Runs = evaluate({"mine": mine, "blocks": block_everything, "naive": "naive"}, "dev", limit=20)
rows: list[Row] = runs["mine", "none"]
assert_type(rows[0]["decision"], Decision | None)
assert_type(evaluate([block_everything], "dev", limit=20).pairs["block_everything", "none"], list[Row])
small = nano_overseer(justify=False)([seen])[0]
if isinstance(small, NoVerdict): print(small.reason)
else: assert_type(small.decision, Decision)
print(overseer_named("policy_aware")([seen]))
read = parse_reply('{"decision": "block"}')
graded: Grade = grade(read, "wrong", lambda: case_of(seen))
assert_type(graded.shaped, float | None)
assert grade_overseer_decision is grade

e = Episode(scenario)
turned: Turned = e.decide("approve")
assert_type(turned.observation, Observation | None)
assert_type(e.rewards, list[float | None])
state: State = begin(scenario)
later, what = settle(state, Verdict("block"))
assert_type(later, State)
assert_type(what, Turned)
responder: Responder = state.play.responder
print(responder(world, proposal.placed, Random(0).random).rationale, sum(1 for _ in walk(scenario)))

# Training
situation = lesson("action_screen", 3)
assert_type(situation.questions[0].label, Label)
assert_type(PROFILES["nano"].rows, int)


def whole_run(out: Path) -> list[str]:
    "The stages of a run; not run here."
    receipt = train("nano", out, smoke=True)
    assert receipt["stages"] == read_receipt(out)["stages"]
    return list(receipt["stages"])

# The wire
with running() as url, connect(url) as env:
    assert_type(env, SentinelEnv)
    got = env.reset(task_id="war_room", seed=42, reward="shaped")
    assert_type(got.observation, SentinelObservation)
    assert_type(got.observation.seen, Observation | None)
    got = env.step(SentinelAction(decision="block", justification="Nothing shown speaks for it."))
    got = env.step({"decision": "flag", "step": 1})
    assert_type(env.step("approve").reward, float | None)
    assert_type(env.state(), SentinelState)
print(http_overseer("http://localhost:9000/oversee").batch)
