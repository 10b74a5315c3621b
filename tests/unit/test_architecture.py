"""The shape of the package: layers point down, classes are abstract or final and registered, imports stay cheap.

It reads the source instead of importing it, so that a module that nobody imports is looked at as well.
"""

import ast
import importlib
import subprocess
import sys
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import pkpd
from pkpd.registry import GROUPS

PACKAGE = Path(pkpd.__file__).parent
LONGEST_FILE = 500  # lines

LAYERS = (
    {"cli"},
    {"report", "export"},
    {"inference", "optimize"},
    {"simulate"},
    {"posterior"},
    {"dynamics", "io"},
    {"domain"},
    {"cache", "registry", "units"},
    {"errors"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

ONLY_IN = {
    "pint": {"units"},
    "pymc": {"inference"},
    "pytensor": {"inference"},
    "rich": {"cli"},
    "typer": {"cli"},
}
NEVER_IN = {
    "equinox": {"domain", "units", "errors", "registry", "report", "export"},
    "jax": {"domain", "units", "errors", "registry", "report", "export"},
    "pandas": {"domain", "units", "errors", "registry"},
}

GROUP_OF = {
    "AbstractPKModel": "pkpd.pk_models",
    "AbstractLinearPKModel": "pkpd.pk_models",
    "AbstractSteppedPKModel": "pkpd.pk_models",
    "AbstractDrivenPKModel": "pkpd.pk_models",
    "AbstractDrivenResponse": "pkpd.pk_models",
    "AbstractMyelosuppression": "pkpd.pk_models",
    "AbstractTurnover": "pkpd.pk_models",
    "AbstractPDModel": "pkpd.pd_models",
    "AbstractGrowthLaw": "pkpd.growth_laws",
    "AbstractEndpoint": "pkpd.endpoints",
    "AbstractObjective": "pkpd.objectives",
    "AbstractExporter": "pkpd.exporters",
}
# Families that no file names: a caller picks the class itself.
NOT_REGISTERED: set[str] = {"AbstractFitModel"}


class Module(NamedTuple):
    """One source file."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        """Top-level part of the package that it belongs to; empty for `pkpd` itself."""
        return self.name.removeprefix("pkpd").removeprefix(".").partition(".")[0]


def read_modules() -> list[Module]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(("pkpd", *(part for part in parts if part != "__init__")))
        found.append(Module(name, path, ast.parse(path.read_text(encoding="utf-8"))))
    return found


MODULES = read_modules()
NAMES = {module.name for module in MODULES}


def imports(module: Module) -> list[tuple[str, int]]:
    """Absolute names of the modules that a file imports anywhere, with the line."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found.extend((name if name in NAMES else node.module, node.lineno) for name in inside)
    return found


def classes(module: Module) -> list[tuple[str, list[str]]]:
    """Names of a file's classes, each with the names of its bases."""

    def base_name(node: ast.expr) -> str:
        match node:
            case ast.Subscript(value=value):
                return base_name(value)
            case ast.Attribute(attr=name) | ast.Name(id=name):
                return name
            case _:
                return ""

    return [
        (node.name, [base_name(base) for base in node.bases])
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    ]


def is_open(name: str) -> bool:
    return name.lstrip("_").startswith("Abstract")


def declared() -> dict[str, str]:
    return {entry.value: entry.group for group in GROUPS for entry in entry_points(group=group)}


def test_every_part_of_the_package_has_a_layer():
    parts = {module.part for module in MODULES} - {""}

    assert parts <= LEVEL.keys()


def test_imports_point_down_the_layers():
    upward = [
        f"{module.path.name}:{line} {module.name} imports {name}"
        for module in MODULES
        for name, line in imports(module)
        if name.startswith("pkpd.") and module.part
        for target in [name.split(".")[1]]
        if target != module.part and LEVEL.get(target, -1) <= LEVEL[module.part]
    ]

    assert upward == []


def test_each_library_is_imported_only_where_it_belongs():
    misplaced = [
        f"{module.path.name}:{line} {module.name} imports {name}"
        for module in MODULES
        for name, line in imports(module)
        for library in [name.partition(".")[0]]
        if module.part not in ONLY_IN.get(library, {module.part}) or module.part in NEVER_IN.get(library, set())
    ]

    assert misplaced == []


def test_every_final_subclass_of_a_registered_kind_has_an_entry_point():
    registered = declared()

    missing = [
        f"{module.name}:{name} is not in {GROUP_OF[base]}"
        for module in MODULES
        for name, bases in classes(module)
        for base in bases
        if base in GROUP_OF and not is_open(name) and registered.get(f"{module.name}:{name}") != GROUP_OF[base]
    ]

    assert missing == []


def test_every_abstract_family_is_registered_or_listed_as_not():
    families = {
        base
        for module in MODULES
        for name, bases in classes(module)
        for base in bases
        if is_open(base) and not is_open(name)
    }

    assert families <= GROUP_OF.keys() | NOT_REGISTERED


def test_a_final_class_is_not_extended():
    ours = {name for module in MODULES for name, _ in classes(module) if not is_open(name)}
    errors = {"PkpdError"}  # an error is caught by the name of its base
    shared = {"_Parameterized"}  # holds fields and no behavior of a model

    extended = {
        f"{module.name}:{name} extends {base}"
        for module in MODULES
        for name, bases in classes(module)
        for base in bases
        if base in ours - errors - shared
    }

    assert extended == set()


@pytest.mark.parametrize("value", sorted(declared()))
def test_every_declared_entry_point_can_be_loaded(value):
    module, _, name = value.partition(":")

    assert isinstance(getattr(importlib.import_module(module), name), type)


@pytest.mark.parametrize("name", pkpd.__all__)
def test_every_public_name_can_be_imported(name):
    assert not isinstance(getattr(pkpd, name), ModuleType | None)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="public names are"):
        pkpd.no_such_name  # noqa: B018


def test_public_names_are_listed_for_completion():
    assert set(pkpd.__all__) <= set(dir(pkpd))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_file_says_what_it_is_for(module):
    assert ast.get_docstring(module.tree)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_file_holds_one_idea_in_few_lines(module):
    lines = module.path.read_text(encoding="utf-8").splitlines()

    assert len(lines) <= LONGEST_FILE
    assert module.path.stem not in {"utils", "helpers", "common", "misc"}


def test_importing_the_package_imports_nothing_slow():
    program = "import sys, pkpd, pkpd.errors, pkpd.registry, pkpd.units, pkpd.cache; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert not {"jax", "numpy", "pandas", "pint", "pymc", "xarray"} & set(loaded)


def test_layers_are_listed_once():
    overlaps = [upper & lower for upper, lower in pairwise(LAYERS)]

    assert sum(map(len, LAYERS)) == len(LEVEL)
    assert not any(overlaps)
