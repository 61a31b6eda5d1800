"""One turn machine: the benchmark's open loop and an episode show the same wherever the same is decided."""
import pytest
from hypothesis import given, settings, strategies as st

from sentinel.ground import rng_for
from sentinel.oversight.decisions import trajectory
from sentinel.oversight.episode import Episode, load
from sentinel.oversight.observation import Observation
from sentinel.oversight.prompts import render
from sentinel.oversight.turns import settle
from sentinel.oversight.verdicts import Verdict
from sentinel.oversight.walks import walk
from sentinel.world.names import SPLITS
from sentinel.world.proposals import harmless
from sentinel.world.scenarios import TIERS, Scenario, generate_scenario

SCENARIO = st.builds(generate_scenario, st.sampled_from(list(TIERS)), st.integers(0, 10_000), st.sampled_from(list(SPLITS)))
PREVIEW = st.sampled_from(["none", "full"])


def over(scenarios):
    "How often a property is tried; always on the same scenarios."
    return settings(max_examples=scenarios, deadline=None, derandomize=True, database=None)


def by_chance(scenario):
    "A way of deciding that has nothing to do with what is right."
    rng = rng_for("by chance", scenario.task_id, scenario.seed, scenario.split)
    return lambda proposal: rng.random() < .6


def played(scenario, decides, preview):
    "The states of an open loop, and what was executed at each."
    said = []

    def execute(proposal):
        said.append(decides(proposal))
        return said[-1]

    states = list(walk(scenario, execute, preview=preview))
    assert len(states) == len(said) == scenario.steps
    return list(zip(states, said))


def without_history(o):
    return {k: v for k, v in o.to_dict().items() if k != "history"}


@over(500)
@given(SCENARIO, PREVIEW, st.booleans())
def test_the_same_decisions_give_the_same_observations(scenario, preview, faultless):
    "Told to show what ran, an episode shows the same to the letter; otherwise its history alone differs."
    one, other = Episode(scenario, preview=preview, remembers="executed"), Episode(scenario, preview=preview)
    for state, ran in played(scenario, harmless if faultless else by_chance(scenario), preview):
        assert state.observation.to_dict() == one.observation.to_dict()
        assert without_history(state.observation) == without_history(other.observation)
        assert state.proposal == one.pending == other.pending and state.world == one.world == other.world
        for e in (one, other):
            e.decide("approve" if ran else "block")
    assert one.done and other.done


@over(100)
@given(SCENARIO, PREVIEW)
def test_the_benchmark_is_an_episode_under_a_faultless_overseer(scenario, preview):
    e = Episode(scenario, preview=preview, remembers="executed")
    for item in trajectory(scenario, preview):
        assert (item.observation, item.proposal, item.step) == (e.observation, e.pending, e.step)
        e.decide("approve" if harmless(e.pending) else "block")
    assert e.done


def test_a_stale_proposal_is_among_them():
    "What the property is about occurs: previews of proposals whose names mean something else by now."
    stale = [s for k in range(12) for s, _ in played(generate_scenario("drift_ops", k), harmless, "full") if s.proposal.stale]
    assert len(stale) > 20


@over(60)
@given(SCENARIO, PREVIEW, st.lists(st.sampled_from(["approve", "flag", "block", "escalate"]), min_size=25, max_size=25))
def test_a_state_is_a_value(scenario, preview, said):
    "Going back to a state and on again gives the same; a saved episode is played to where it was."
    e = Episode(scenario, preview=preview)
    states = [e.state]
    for word in said[: scenario.steps]:
        e.decide(word)
        states.append(e.state)
    for before, word, after in zip(states[::-1][1:], said[: scenario.steps][::-1], states[::-1]):
        assert settle(before, Verdict(word))[0] == after
    assert load(e.save()).state.history == e.state.history


@pytest.mark.parametrize("decision", ["approve", "flag", "block"])
def test_an_action_is_read_and_located_once(monkeypatch, decision):
    "When it is drawn. Who shows it, puts it into words, grades or executes it afterwards reads what was found then."
    import sentinel.oversight.turns as turns
    import sentinel.world.actions as actions
    import sentinel.world.execute as execute

    looked, drawing = [], []
    locate, read, propose = execute.locate, actions.read, turns.propose

    def drawn(*a, **kw):
        drawing.append(1)
        try:
            return propose(*a, **kw)
        finally:
            drawing.pop()

    monkeypatch.setattr(execute, "locate", lambda *a: (drawing or looked.append(a), locate(*a))[1])
    monkeypatch.setattr(actions, "read", lambda text: (looked.append(text), read(text))[1])
    monkeypatch.setattr(turns, "propose", drawn)
    for k in range(6):
        e = Episode(generate_scenario("war_room", k), preview="full")
        while not e.done:
            e.decide(decision)
    assert looked == []
    execute.apply(e.world, "restart_service:nobody")
    assert len(looked) == 2  # a look would have been seen


@over(60)
@given(SCENARIO, PREVIEW)
def test_observations_and_scenarios_travel(scenario, preview):
    "As data and back: the same prompt, and the same scenario."
    back = Scenario.from_dict(scenario.to_dict())
    assert back.to_dict() == scenario.to_dict()
    for item, again in zip(trajectory(scenario, preview), trajectory(back, preview), strict=True):
        assert render(Observation.from_dict(item.observation.to_dict())) == render(item.observation) == render(again.observation)
