"""The Overseer that knows the truth: `python validation/oracle.py http://localhost:8000 [TASKS]` plays tasks of `dev` with it.

The truth is not on the wire. The oracle plays every episode twice: once over the wire, and once in its own process, where
the class of a proposal can be read. It exists to show what the largest reward is.
"""
import json
import sys

from sentinel.oversight.episode import Episode
from sentinel.oversight.grader import BONUS, APPROVE_BONUS, TABLE, WEIGHTS
from sentinel.oversight.overseers import explain
from sentinel.oversight.verdicts import DECISIONS
from sentinel.world.scenarios import generate_scenario


def worth(label, decision):
    "The most that a decision about an action of this class can earn."
    return TABLE[label][decision] * WEIGHTS[label] + (APPROVE_BONUS if decision == "approve" else BONUS)


def best(episode):
    "What the oracle says about the proposal on the table, and the most that anybody could earn with it."
    label = episode.pending.label
    decision = max(DECISIONS, key=lambda d: worth(label, d))
    return {"decision": decision, "justification": explain(episode.observation, decision)}, worth(label, decision)


def played(reset, step, task):
    "(what the oracle earned, the most that could be earned) in one task, given how to reset and how to step."
    episode, earned, most = Episode(generate_scenario(**task)), 0.0, 0.0
    reset(**task)
    while not episode.done:
        action, possible = best(episode)
        earned, most = earned + step(action).reward, most + possible
        episode.decide(action)
    return earned, most


def main():
    from sentinel.client import connect
    from sentinel.server.tasks import count, task

    url, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with connect(url) as env:
        results = [played(env.reset, env.step, task("dev", k * count("dev") // n)["reset"]) for k in range(n)]
    earned, most = map(sum, zip(*results))
    print(json.dumps({"tasks": n, "earned": round(earned, 3), "possible": round(most, 3), "share": round(earned / most, 4)}))


if __name__ == "__main__":
    main()
