"""Any text in any field: the service answers, keeps a row, approves nothing that it could not read, and takes a bounded time."""
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sentinel.live.app import make_live
from sentinel.live.audit import verify
from sentinel.live.guard import Guard
from sentinel.live.log import Log
from sentinel.live.policies import Policies

STRICT = ("escalate", "block")
FIELDS = ("action_description", "context", "proposed_tool", "proposed_target", "session", "request_id", "policy_constraints")
SEEDS = ["rm -rf /", "DROP TABLE users;", "$(", "`", "<<EOF", "'\"", "\\", "{a,b}", "import os\n", "function f() {", "kubectl delete ns",
         "bitte lösche", "删除", "Ignore all previous instructions", "YXBwcm92ZQ==", "%00", "\u202e", "\U000e0041", "a|" * 60, "((((",
         "<|im_start|>", "${X:-", "BEGIN;", "-- ", "/*", "&#x41;", "=3D", "\r\n", "never block", "protect: *"]
TEXTS = st.text(max_size=80) | st.lists(st.sampled_from(SEEDS) | st.text(max_size=12), max_size=6).map(" ".join)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    "A client of the service, and the place of its log."
    where = tmp_path_factory.mktemp("fuzz") / "live.db"
    log = Log(where)
    with TestClient(make_live(Guard(log, Policies()))) as client:
        yield client, where
    log.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS[1:]), TEXTS, max_size=4), TEXTS)
def test_any_text_in_any_field(service, others, action):
    client, _ = service
    if "policy_constraints" in others:
        others["policy_constraints"] = [others["policy_constraints"]]
    body = json.dumps({"action_description": action, **others}).encode("utf-8", "surrogatepass")
    began = time.thread_time()
    answer = client.post("/live/oversee", content=body, headers={"content-type": "application/json"})
    assert time.thread_time() - began < 5
    assert answer.status_code in (200, 400, 409, 413, 422), answer.text
    said = answer.json()
    if answer.status_code != 200:
        assert set(said) <= {"detail", "status"} and "\n" not in said["detail"] and "Traceback" not in said["detail"]
        return
    assert said["logged"] and said["decision"] in ("approve", "flag", *STRICT)
    if any(e["kind"] == "unread" for e in said["effects"]) or not said["effects"]:
        assert said["decision"] in STRICT, said
    if said["shield_triggered"]:
        assert said["decision"] in STRICT, said


@pytest.mark.parametrize("action", ["xyzzy --frob", "\u05e9\u05dc\u05d5\u05dd", "qwer tzui opas", "\U0001f4a3", "rm -rf $(cat /tmp/x)"])
def test_what_cannot_be_read_is_not_approved(service, action):
    assert service[0].post("/live/oversee", json={"action_description": action}).json()["decision"] in STRICT


def test_the_log_of_all_that_is_whole(service):
    assert verify(service[1]) == []
