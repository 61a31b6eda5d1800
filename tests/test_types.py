"""What type checkers and completion see of the package, and whether its public names say what they are."""
import ast
import inspect
import json
import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from fastcore.docments import docments

import sentinel

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
EXAMPLE = ROOT / "tests" / "typing" / "public_names.py"
SEES = {**os.environ, "PYTHONPATH": str(ROOT)}
WRONG = """
from sentinel import Episode, Verdict, evaluate, generate_scenario
e = Episode(generate_scenario("war_room", 3))
e.decode("approve")
evaluate(3)
Verdict("aprove")
generate_scenario("war_room", 3).wrold
"""


def checked(checker, path, tmp_path):
    "What a type checker says about a file: (its exit code, its words)."
    options = {"mypy": ["--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")], "pyright": ["--pythonpath", sys.executable]}
    done = subprocess.run([BIN / checker, *options[checker], str(path)], capture_output=True, text=True, cwd=tmp_path, env=SEES)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_example_is_clean_and_a_wrong_one_is_not(checker, tmp_path):
    code, said = checked(checker, EXAMPLE, tmp_path)
    assert code == 0, said
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    code, said = checked(checker, wrong, tmp_path)
    assert code == 1
    for line in (4, 5, 6, 7):
        assert f"wrong.py:{line}:" in said, (line, said)


def test_the_example_runs_and_uses_every_public_name():
    subprocess.run([sys.executable, EXAMPLE], check=True, capture_output=True, env=SEES)
    tree = ast.parse(EXAMPLE.read_text(encoding="utf-8"))
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert set(sentinel.__all__) <= used


def test_no_public_type_is_unknown():
    "Of the names in `__all__`, and of everything in their signatures, pyright knows the type."
    command = [BIN / "pyright", "--pythonpath", sys.executable, "--verifytypes", "sentinel", "--ignoreexternal", "--outputjson"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, cwd="/", env=SEES).stdout)["typeCompleteness"]
    symbols = {s["name"]: s for s in found["symbols"]}
    homes = {f"sentinel.{home}.{name}" for name, home in sentinel._HOME.items()} & set(symbols)
    assert len(homes) > 40
    inside = {name for name in symbols if any(name == home or name.startswith(home + ".") for home in homes)}
    public = inside | {f"sentinel.{name}" for name in sentinel.__all__ if name != "__version__"}
    openenv = ("sentinel.client.", "sentinel.models.")  # built on classes of OpenEnv, which has no types; the example above checks their own
    public -= {name for name in public if name.startswith(openenv)} | {f"sentinel.{n}" for n, h in sentinel._HOME.items() if h in ("client", "models")}
    assert [name for name in sorted(public) if not symbols[name]["isTypeKnown"]] == []
    assert any(not s["isTypeKnown"] for s in symbols.values())  # it can tell: not everything inside the package is typed


def test_the_lists_of_public_names_agree():
    "`__all__`, the imports for type checkers and the table for imports on first use."
    tree = ast.parse((ROOT / "sentinel" / "__init__.py").read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    seen = {a.asname: n.module for n in block.body for a in n.names if a.name == a.asname}
    assert seen == {name: f"sentinel.{home}" for name, home in sentinel._HOME.items()}
    assert sorted(sentinel.__all__) == sorted(["__version__", *seen])


def test_completion_finds_the_names():
    from jedi import Interpreter, Script

    wanted = "import sentinel\nsentinel."
    found = {c.name for c in Script(wanted, path=ROOT / "somewhere.py").complete(2, 9)}
    assert set(sentinel.__all__) <= found
    e = sentinel.Episode(sentinel.generate_scenario("action_screen", 1))
    assert {"decide", "propose", "observation"} <= {c.name for c in Interpreter("e.", [{"e": e}]).complete(1, 2)}


def parameters(f):
    return [p for p in inspect.signature(f).parameters.values() if p.name != "self"]


def lacks(f, name):
    "What a function does not say about itself."
    comments = docments(f)
    out = [] if inspect.getdoc(f) else [f"{name}: no docstring"]
    out += [f"{name}: {p.name} has no type" for p in parameters(f) if p.annotation is p.empty]
    out += [f"{name}: {p.name} has no comment" for p in parameters(f) if not comments.get(p.name) and p.kind is not p.VAR_KEYWORD]
    out += [] if inspect.signature(f).return_annotation is not inspect.Signature.empty else [f"{name}: no return type"]
    raises = "raise ValueError" in inspect.getsource(f)
    return out + ([f"{name}: does not say that it raises"] if raises and "Raises" not in (inspect.getdoc(f) or "") else [])


def fields_without_words(cls):
    "Fields of a class that have neither a comment nor words in their annotation or description."
    lines = inspect.getsource(cls).splitlines()
    fields = [n for n in ast.parse("\n".join(lines)).body[0].body if isinstance(n, ast.AnnAssign)]
    says = lambda n: "#" in lines[n.end_lineno - 1] or "Annotated" in ast.unparse(n.annotation) or "description=" in ast.unparse(n)
    return [n.target.id for n in fields if not says(n)]


PUBLIC = {name: getattr(sentinel, name) for name in sentinel.__all__ if name != "__version__"}
CLASSES = {name: x for name, x in PUBLIC.items() if inspect.isclass(x)}
FUNCTIONS = {name: x for name, x in PUBLIC.items() if inspect.isfunction(x)}


def test_functions_say_what_they_take_give_and_raise():
    assert len(FUNCTIONS) > 20
    assert [said for name, f in FUNCTIONS.items() for said in lacks(f, name)] == []


def test_what_a_function_lacks_is_found():
    def bad(x, y: int = 3):  # noqa
        raise ValueError

    assert lacks(bad, "bad") == ["bad: no docstring", "bad: x has no type", "bad: x has no comment", "bad: no return type",
                                 "bad: does not say that it raises"]


def test_classes_say_what_they_hold():
    assert len(CLASSES) > 15
    for name, cls in CLASSES.items():
        assert cls.__doc__ and not cls.__doc__.startswith(f"{name}("), name
        for key, x in vars(cls).items():
            f = x.fget if isinstance(x, property) else getattr(x, "func", getattr(x, "__func__", x))
            if inspect.isfunction(f) and not key.startswith("_"):
                assert inspect.getdoc(f), f"{name}.{key}"


def test_fields_say_what_they_are():
    own = {n: c for n, c in CLASSES.items() if getattr(c, "__annotations__", None) and n not in ("Runs",)}
    assert {n: f for n, c in own.items() if (f := fields_without_words(c))} == {}


def test_the_rest_explains_itself():
    "Closed sets of words are Literals, protocols are protocols, tables have a text of their own."
    rest = {n: x for n, x in PUBLIC.items() if n not in CLASSES and n not in FUNCTIONS}
    assert {n for n, x in rest.items() if typing.get_origin(x) is typing.Literal} == {"Decision", "Label", "Preview"}
    assert {n for n, x in rest.items() if type(x).__doc__ and isinstance(x, dict)} == {"FAMILIES", "PROFILES", "TIERS"}
    assert all(len(rest[n].__doc__) > 40 and rest[n].__doc__ != dict.__doc__ for n in ("FAMILIES", "PROFILES", "TIERS"))
