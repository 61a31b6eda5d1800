"""How the house is built: imports go down, notebooks build on those before them, modules and lines stay small."""
import ast
import json
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sentinel"
RANKS = {"patterns": 0, "ground": 0, "world": 1, "oversight": 2, "training": 3, "cli": 5, "site": 5, "__main__": 6}
RANKS |= dict.fromkeys(("models", "calls", "client", "server", "doors", "validation", "live", "agents", "app", "publishing"), 4)  # the serving floor is OpenEnv's folder: it lies open
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


# Imports


def homes(package):
    "Where the names of the package's front page live: {name: module}."
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    tables = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "_HOMES"]
    return {name: f"sentinel.{home}" for home, names in ast.literal_eval(tables[0]).items() for name in names}


def imported(source, module, front):
    "Modules of the package that some source imports, at its top or inside a function, as absolute names."
    parent, found, known, tree = module.split(".")[:-1], set(), set(), ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
            known |= {a.asname or "sentinel" for a in node.names if a.name == "sentinel" or (a.name.startswith("sentinel.") and not a.asname)}
        if isinstance(node, ast.ImportFrom):
            base = parent[: len(parent) - node.level + 1] if node.level else []
            name = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {name} | {f"{name}.{a.name}" for a in node.names}
            if name == "sentinel":  # the front page, which loads what it is asked for
                found |= {home for word, home in front.items() if {word, "*"} & {a.name for a in node.names}}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            found.add(front.get(node.attr, f"sentinel.{node.attr}"))
    return {name for name in found if name.startswith("sentinel.")}


def graph(package):
    "{module: the modules it imports} of a package; a floor is a module, too."
    paths = {".".join(["sentinel", *p.relative_to(package).with_suffix("").parts]): p for p in package.rglob("*.py")}
    paths = {name: p for name, p in paths.items() if p.name != "_modidx.py" and "assets" not in p.parts}
    paths.pop("sentinel.__init__")
    front, home = homes(package), lambda name: name.removesuffix(".__init__")
    known = {home(name) for name in paths}
    return {home(name): imported(p.read_text(encoding="utf-8"), name, front) & known - {home(name)} for name, p in paths.items()}


def upward(imports):
    "Imports from a floor to one above it."
    floor = lambda module: RANKS[module.split(".")[1]]
    return sorted(f"{a} -> {b}" for a, found in imports.items() for b in found if floor(b) > floor(a))


def circles(imports):
    "Modules that import each other, by whatever way."
    left = dict(imports)
    while leaves := [m for m, found in left.items() if not found & set(left)]:
        for m in leaves:
            del left[m]
    return sorted(left)


def test_imports_go_down():
    imports = graph(PACKAGE)
    assert sum(map(len, imports.values())) > 200  # it sees what there is
    assert upward(imports) == [] and circles(imports) == []


@pytest.mark.parametrize("module, line, found", [
    ("world/services.py", "from ..oversight.grader import WEIGHTS", "sentinel.world.services -> sentinel.oversight.grader"),
    ("world/services.py", "from sentinel import Episode", "sentinel.world.services -> sentinel.oversight.episode"),
    ("oversight/rows.py", "def f():\n    import sentinel.training.rft", "sentinel.oversight.rows -> sentinel.training.rft"),
    ("ground.py", "from .world import names", "sentinel.ground -> sentinel.world.names"),
    ("world/services.py", "import sentinel as s\ns.evaluate", "sentinel.world.services -> sentinel.oversight.evaluation"),
    ("world/services.py", "import sentinel\nsentinel.oversight.grader", "sentinel.world.services -> sentinel.oversight"),
    ("world/services.py", "from sentinel import *", "sentinel.world.services -> sentinel.oversight.episode"),
    ("world/services.py", "from sentinel import oversight", "sentinel.world.services -> sentinel.oversight"),
    ("world/services.py", "from .. import oversight", "sentinel.world.services -> sentinel.oversight"),
    ("world/services.py", "import sentinel.oversight as o", "sentinel.world.services -> sentinel.oversight"),
    ("world/__init__.py", "from ..oversight.grader import WEIGHTS", "sentinel.world -> sentinel.oversight.grader"),
])
def test_an_upward_import_is_found(tmp_path, module, line, found):
    shutil.copytree(PACKAGE, tmp_path / "sentinel", ignore=shutil.ignore_patterns("__pycache__", "assets"))
    path = tmp_path / "sentinel" / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    assert found in upward(graph(tmp_path / "sentinel"))


def test_a_circle_is_found(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "sentinel", ignore=shutil.ignore_patterns("__pycache__", "assets"))
    path = tmp_path / "sentinel" / "world" / "services.py"
    path.write_text(path.read_text(encoding="utf-8") + "\ndef f():\n    from . import scenarios\n", encoding="utf-8")
    assert {"sentinel.world.services", "sentinel.world.scenarios"} <= set(circles(graph(tmp_path / "sentinel")))


# Notebooks


def code_cells(path):
    "The sources of a notebook's code cells, as Python: without directives and magics."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    return [re.sub(r"^(\s*)[%!].*$", r"\1pass", s, flags=re.M) for s in sources]


def numbers(nbs):
    "{module: (floor, number)} of the notebooks that are exported; a notebook's number stands before its name."
    out = {}
    for path in nbs.rglob("*.ipynb"):
        made = re.search(r"^#\| default_exp (\S+)", "\n".join(code_cells(path)), re.M)
        if made and (number := re.match(r"\d+", path.stem)):
            out[f"sentinel.{made[1]}"] = path.parent.name, int(number[0])
    return out


def too_early(nbs, front):
    "Imports, in any cell, of a module of the same floor whose notebook does not come before."
    order, out = numbers(nbs), []
    for path in sorted(nbs.rglob("*.ipynb")):
        if not (number := re.match(r"\d+", path.stem)):
            continue
        found = set().union(*(imported(s, "sentinel.x", front) for s in code_cells(path)))
        own = re.search(r"^#\| default_exp (\S+)", "\n".join(code_cells(path)), re.M)
        for module in found & set(order) - {f"sentinel.{own[1]}" if own else ""}:
            if order[module][0] == path.parent.name and order[module][1] >= int(number[0]):
                out.append(f"{path.parent.name}/{path.stem} imports {module}")
    return out


def test_notebooks_build_on_those_before_them():
    assert len(numbers(ROOT / "nbs")) > 60
    assert too_early(ROOT / "nbs", homes(PACKAGE)) == []


def test_an_import_that_comes_too_early_is_found(tmp_path):
    shutil.copytree(ROOT / "nbs", tmp_path / "nbs")
    path = tmp_path / "nbs" / "world" / "05_laws.ipynb"
    nb = json.loads(path.read_text(encoding="utf-8"))
    nb["cells"].append({"cell_type": "code", "source": "from sentinel.world.scenarios import TIERS", "outputs": [], "metadata": {}})
    path.write_text(json.dumps(nb), encoding="utf-8")
    assert too_early(tmp_path / "nbs", homes(PACKAGE)) == ["world/05_laws imports sentinel.world.scenarios"]


# Measures

# What is still too large or too long, inside floors that are about to be rewritten: whoever rewrites one takes it off.
LARGE = ["world/evidence", "world/faults", "world/laws", "world/proposals", "world/scenarios", "training/base", "training/pipeline"]
LONG = [
    "training/00_language", "training/02_base", "training/03_rewards", "training/04_rft", "training/05_stages", "training/06_gate",
    "training/07_receipts", "training/08_profiles", "training/09_pipeline", "training/10_export", "training/11_multi_turn",
    "training/12_results", "training/13_kept_out", "world/03_actions", "world/04_changes", "world/05_laws", "world/06_execute",
    "world/07_rules", "world/08_consequence", "world/09_hazards", "world/10_faults", "world/11_evidence", "world/12_drift",
    "world/13_scenarios", "world/14_proposals", "world/15_pairs", "world/16_splits", "world/17_checks", "world/18_gallery"]
MOST, LINE, LONGEST, SHARE = 12_000, 120, 160, .03


def data_lines(source):
    "The numbers of the lines of tables: literals that are given a name at the top level, or what is read from such a one."
    out = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
            given = isinstance(node.value, ast.Call)
            for part in node.value.args if given else [node.value]:
                text = isinstance(part, ast.Constant) and not (given and part.lineno == part.end_lineno)
                if text or isinstance(part, ast.Dict | ast.List | ast.Tuple | ast.Set):
                    out |= set(range(part.lineno, part.end_lineno + 1))
    return out


def line_lengths(path):
    "Lengths of a notebook's lines of code, those of tables left out."
    out = []
    for source in code_cells(path):
        tables = data_lines(source)
        out += [len(line) for k, line in enumerate(source.splitlines(), 1) if line.strip() and k not in tables]
    return out


def is_inside(name):
    "Only what is inside the floors that are about to be rewritten may stand on the lists."
    return name.startswith(("world/", "training/"))


def is_long(lengths):
    "Has a notebook too many long lines, or one that is too long?"
    return max(lengths, default=0) > LONGEST or sum(n > LINE for n in lengths) > SHARE * len(lengths)


def test_modules_are_small():
    sizes = {p.relative_to(PACKAGE).with_suffix("").as_posix(): p.stat().st_size for p in PACKAGE.rglob("*.py")}
    large = [name for name, n in sizes.items() if n > MOST and name != "_modidx"]
    assert sorted(large) == sorted(LARGE)  # one that has become small is taken off the list
    assert all(map(is_inside, LARGE + LONG))


def test_lines_are_short():
    name = lambda p: p.relative_to(ROOT / "nbs").with_suffix("").as_posix()
    assert sorted(name(p) for p in NOTEBOOKS if is_long(line_lengths(p))) == sorted(LONG)


def test_long_lines_are_found():
    assert is_long([161]) and is_long([121] * 4 + [80] * 96) and not is_long([121] * 3 + [80] * 97)
    assert data_lines("TABLE = {\n 1: 2}\nf(3)\nx = g(a)") == {1, 2}
    assert data_lines("x = g('one line')\nTABLE = read(\'\'\'\n a 1\n b 2\'\'\')") == {2, 3, 4}


# What is visible, and what is behind it

BEHIND = {     # a way to the world behind an observation -> the modules that may use it
    "behind": {"oversight.reading", "oversight.courses"}, "_world": {"oversight.observation"}, "view_of": {"oversight.overseers"},
    "trusted": {"oversight.overseers"}}


def users_of(package, names):
    "{name: modules that import it or look it up}, the one that defines it left out."
    out = {name: set() for name in names}
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
        found = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
        found |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        for name in found & set(names) - defined:
            out[name].add(".".join(path.relative_to(package).with_suffix("").parts))
    return out


def test_only_a_declared_expert_looks_behind_an_observation():
    assert users_of(PACKAGE, BEHIND) == BEHIND


def test_a_look_behind_an_observation_is_found(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "sentinel", ignore=shutil.ignore_patterns("__pycache__", "assets"))
    path = tmp_path / "sentinel" / "training" / "lessons.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nfrom ..oversight.reading import view_of\n", encoding="utf-8")
    assert users_of(tmp_path / "sentinel", BEHIND)["view_of"] == BEHIND["view_of"] | {"training.lessons"}
