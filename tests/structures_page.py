"""`docs/reference/structures.md`, written from the classes: `python tests/structures_page.py` renews it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

from pkpd.dynamics.base import AbstractLinearPKModel, AbstractPKModel, optional_of, parameters_of
from pkpd.registry import Registry

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "structures.md"
HEAD = """# Structures

What `structure = "..."` may name in a model file and in a population analysis. This page is written from the classes by
`python tests/structures_page.py`; a test holds it to them.

A dose without CMT enters compartment 1. Each compartment that holds drug may take `lag`, `bioavailability`, `duration` and `rate`
under `[compartment.NAME]`. A compartment marked as a response holds no drug and takes no dose; after EVID 3 or 4 it starts again as at
the first record. *Steps* means that there is no closed form, and that the number of steps is verified
([event rules](event-rules.md)). *No steady state*: a tumor grows, and SS is refused.

## An example

A tumor (`simeoni`) under 30 mg a day from day 3 on, ten doses. `model.toml`:

```toml
schema = 1

[model]
structure = "simeoni"

[parameters]
clearance      = "2 L/h"
volume         = "10 L"
absorption     = "1.2 1/h"
growth_rate    = "0.3 1/d"
linear_growth  = "100 mm^3/d"
potency        = "0.06 L/mg/h"
damage_transit = "0.7 1/d"
initial_volume = "0.15 cm^3"

[compartment.depot]
lag = "0.5 h"

[units]
TIME = "d"
AMT  = "mg"

[output]
concentration = "ug/L"
tumor_volume  = "cm^3"
```

`events.csv`, which begins on day 0 with the tumor of `initial_volume`:

```csv
ID,TIME,EVID,AMT,CMT,II,ADDL
1,0,0,0,1,0,0
1,3,1,30,1,1,9
1,7,0,0,1,0,0
1,14,0,0,1,0,0
1,28,0,0,1,0,0
```

`pkpd simulate --model model.toml --events events.csv --out out.csv`
"""


def page() -> str:
    """Text of the page."""
    kinds = Registry("pkpd.pk_models", AbstractPKModel)
    return "\n".join([HEAD, *(_section(name, kinds.get(name)) for name in kinds.names())])


def _section(name: str, kind: type[AbstractPKModel]) -> str:
    optional = optional_of(kind)
    absent = {field.name: field.metadata.get("absent") for field in dataclasses.fields(kind)}
    compartments = ", ".join(
        f"{number} {word}{' (response)' if word in kind.responses else ''}"
        for number, word in enumerate(kind.compartments, start=1)
    )
    solved = "closed form" if issubclass(kind, AbstractLinearPKModel) else "steps"
    notes = f"{solved}, no steady state" if kind.grows else solved
    lines = [
        f"## {name}",
        "",
        _about(kind),
        "",
        "| | |",
        "| --- | --- |",
        f"| compartments | {compartments} |",
        f"| outputs | {', '.join(f'`{word}` ({unit})' for word, unit in kind.outputs.items())} |",
        f"| solved by | {notes} |",
        "",
        "| parameter | unit | |",
        "| --- | --- | --- |",
        *(
            f"| `{word}` | {unit} | {f'may be left out ({absent[word]:g})' if word in optional else ''} |"
            for word, unit in parameters_of(kind).items()
        ),
    ]
    written = (doi for each in kind.__mro__ for doi in re.findall(r"doi:10\.[^\s,;]+", each.__doc__ or ""))
    sources = dict.fromkeys(doi.rstrip(".") for doi in written)
    if sources:
        lines += ["", f"Source: {', '.join(sources)}"]
    return "\n".join([*lines, ""])


def _about(kind: type[AbstractPKModel]) -> str:
    """First lines of the module and of the class, up to the references."""
    module = inspect.getdoc(inspect.getmodule(kind)) or ""
    text = re.split(r"\n\s*(?:References|Attributes|Parameters)\n", inspect.getdoc(kind) or "")[0]
    return " ".join(f"{module.splitlines()[0]} {text}".split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
