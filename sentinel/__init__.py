"""SENTINEL: incidents, overseers and honest numbers. Names are imported on first use, so `import sentinel` is quick."""
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "__version__", "Action", "apply", "begin", "classify", "Condition", "connect", "Decision", "diagnose", "drift", "Effects",
    "Episode", "evaluate", "FAMILIES", "generate_scenario", "Grade", "grade", "grade_overseer_decision", "http_overseer",
    "Item", "Knobs", "Label", "lesson",
    "minimal_pair", "nano_overseer", "NoVerdict", "Observation", "one_by_one", "Overseer", "overseer_named",
    "parse_action", "parse_reply", "Preview", "PROFILES", "propose", "read_receipt", "render", "resolved",
    "Responder", "Row", "Runs", "Scenario", "scenarios_of", "SentinelAction", "SentinelEnv",
    "SentinelObservation", "SentinelState", "Service", "settle", "State", "tick", "TIERS", "train",
    "trajectory", "Turned", "Verdict", "walk", "World",
]

if TYPE_CHECKING:  # for type checkers and completion; at run time `__getattr__` looks a name up in `_HOMES`
    from sentinel.client import SentinelEnv as SentinelEnv, connect as connect
    from sentinel.models import SentinelAction as SentinelAction, SentinelObservation as SentinelObservation
    from sentinel.models import SentinelState as SentinelState
    from sentinel.oversight.contract import Preview as Preview
    from sentinel.oversight.decisions import Item as Item, trajectory as trajectory
    from sentinel.oversight.episode import Episode as Episode
    from sentinel.oversight.evaluation import Runs as Runs, evaluate as evaluate
    from sentinel.oversight.grader import Grade as Grade, grade as grade
    from sentinel.oversight.grader import grade_overseer_decision as grade_overseer_decision
    from sentinel.oversight.http import http_overseer as http_overseer
    from sentinel.oversight.nano import nano_overseer as nano_overseer
    from sentinel.oversight.named import overseer_named as overseer_named
    from sentinel.oversight.observation import Observation as Observation
    from sentinel.oversight.overseers import Overseer as Overseer, one_by_one as one_by_one
    from sentinel.oversight.prompts import parse_reply as parse_reply, render as render
    from sentinel.oversight.responders import Responder as Responder
    from sentinel.oversight.rows import Row as Row
    from sentinel.oversight.state import State as State, Turned as Turned
    from sentinel.oversight.turns import begin as begin, settle as settle
    from sentinel.oversight.verdicts import Decision as Decision, NoVerdict as NoVerdict, Verdict as Verdict
    from sentinel.oversight.walks import walk as walk
    from sentinel.training.lessons import lesson as lesson
    from sentinel.training.pipeline import train as train
    from sentinel.training.profiles import PROFILES as PROFILES
    from sentinel.training.receipts import read_receipt as read_receipt
    from sentinel.world.actions import Action as Action, parse_action as parse_action
    from sentinel.world.changes import Effects as Effects
    from sentinel.world.conditions import Condition as Condition, World as World, tick as tick, resolved as resolved
    from sentinel.world.consequence import Label as Label, classify as classify
    from sentinel.world.drift import drift as drift
    from sentinel.world.evidence import diagnose as diagnose
    from sentinel.world.execute import apply as apply
    from sentinel.world.faults import FAMILIES as FAMILIES
    from sentinel.world.pairs import minimal_pair as minimal_pair
    from sentinel.world.proposals import Knobs as Knobs, propose as propose
    from sentinel.world.scenarios import TIERS as TIERS, Scenario as Scenario, generate_scenario as generate_scenario
    from sentinel.world.services import Service as Service
    from sentinel.world.splits import scenarios_of as scenarios_of

_HOMES = {
    "client": ("SentinelEnv", "connect"),
    "models": ("SentinelAction", "SentinelObservation", "SentinelState"),
    "oversight.contract": ("Preview",),
    "oversight.decisions": ("Item", "trajectory"),
    "oversight.episode": ("Episode",),
    "oversight.evaluation": ("Runs", "evaluate"),
    "oversight.grader": ("Grade", "grade", "grade_overseer_decision"),
    "oversight.http": ("http_overseer",),
    "oversight.nano": ("nano_overseer",),
    "oversight.named": ("overseer_named",),
    "oversight.observation": ("Observation",),
    "oversight.overseers": ("Overseer", "one_by_one"),
    "oversight.prompts": ("parse_reply", "render"),
    "oversight.responders": ("Responder",),
    "oversight.rows": ("Row",),
    "oversight.state": ("State", "Turned"),
    "oversight.turns": ("begin", "settle"),
    "oversight.verdicts": ("Decision", "NoVerdict", "Verdict"),
    "oversight.walks": ("walk",),
    "training.lessons": ("lesson",),
    "training.pipeline": ("train",),
    "training.profiles": ("PROFILES",),
    "training.receipts": ("read_receipt",),
    "world.actions": ("Action", "parse_action"),
    "world.changes": ("Effects",),
    "world.conditions": ("Condition", "World", "tick", "resolved"),
    "world.consequence": ("Label", "classify"),
    "world.drift": ("drift",),
    "world.evidence": ("diagnose",),
    "world.execute": ("apply",),
    "world.faults": ("FAMILIES",),
    "world.pairs": ("minimal_pair",),
    "world.proposals": ("Knobs", "propose"),
    "world.scenarios": ("TIERS", "Scenario", "generate_scenario"),
    "world.services": ("Service",),
    "world.splits": ("scenarios_of",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sentinel' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"sentinel.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
