"""The gradient of gradient.py in Stan, with `ode_rk45`: `python senolysis_stan.py FOLDER` (Python 3.12; needs `pystan`).

FOLDER holds the `study.json` that gradient.py wrote: the study, a point, and the log-likelihood there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import stan
from measure import fastest, report

SHARED = (
    *("palbociclib.clearance", "palbociclib.volume", "palbociclib.absorption", "palbociclib.bioavailability"),
    *("palbociclib.unbound_fraction", "palbociclib.tissue_ratio"),
    *("cetuximab.clearance", "cetuximab.volume", "cetuximab.absorption", "cetuximab.bioavailability"),
    *("tumor.growth_decay", "tumor.half_activation", "tumor.arrest_max", "tumor.entry_rate", "tumor.reversion_rate"),
    *("tumor.escape_rate", "tumor.ligand_senescent", "tumor.ligand_fast", "tumor.receptor_half_block"),
    *("tumor.egfr_growth_share", "tumor.egfr_entry_need", "tumor.hazard_protected", "tumor.death_clearance_rate"),
    *("tumor.senescent_size", "tumor.resistant_fraction"),
)
OF_MICE = ("tumor.growth_rate", "tumor.initial_volume", "tumor.hazard_exposed")
KNOWN = (
    *("tumor.hill", "tumor.activation_rate", "tumor.ligand_basal", "tumor.ligand_turnover", "tumor.early_death_rate"),
    "tumor.dying_size",
)
TOLERANCES = (1e-4, 1e-6)
CALLS = 3


def main(folder: Path) -> None:
    """Compile, compare the log-likelihood, time the gradient at each tolerance."""
    study = json.loads((folder / "study.json").read_text())
    values, known = study["values"], study["known"]
    point = [float(np.log(values[name])) for name in SHARED]
    point += [float(each) for name in OF_MICE for each in np.log(values[name])]
    code = Path(__file__).with_name("senolysis.stan").read_text()
    for rtol in TOLERANCES:
        model = stan.build(code, data={**study["data"], "c": [known[name] for name in KNOWN], "rtol": rtol})
        found = float(model.log_prob(point, adjust_transform=False))
        seconds = fastest(lambda model=model: model.grad_log_prob(point), repeats=CALLS)
        report(
            "gradient",
            "Stan ode_rk45",
            milliseconds=1e3 * seconds,
            mice=study["data"]["M"],
            parameters=len(point),
            rtol=rtol,
            log_likelihood=found,
            log_likelihood_of_pkpd=study["log_likelihood"],
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
