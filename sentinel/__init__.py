"""SENTINEL: incidents, overseers and honest numbers. Names are imported on first use, so `import sentinel` is quick."""
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "oversight.contract": ("Preview",),
    "oversight.decisions": ("Item", "trajectory"),
    "oversight.episode": ("Episode",),
    "oversight.evaluation": ("Runs", "evaluate"),
    "oversight.grader": ("Grade", "grade"),
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
__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'sentinel' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"sentinel.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
