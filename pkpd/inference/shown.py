"""What volumes show of a parameter: the scale on which growth and entry into arrest are sampled.

Volumes fix the growth that an animal shows, not its rate, and the entry into arrest that treated animals show, the product of
rate and activation. Sampled as what is shown, both stay where they are when the parameters of exposure, aging and EGFR move; sampled
as rates they lie on curved ridges that no mass matrix straightens. The offsets steer the sampler only: the priors and the
posterior are those of the rates. See docs/decisions/003-parameterization.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pytensor.link.jax.ops import wrap_jax

from pkpd.dynamics.assembly import TUMOR, Assembly
from pkpd.dynamics.pd.senolysis import CDK46, Senolysis
from pkpd.dynamics.timeline import Grid
from pkpd.inference.declare import Symbol, expm1, log, log1p
from pkpd.simulate.design import Design, to_groups
from pkpd.units import factor

GROWTH_RATE, ENTRY_RATE = f"{TUMOR}.growth_rate", f"{TUMOR}.entry_rate"
DECAY, GROWTH_SHARE, ARREST = f"{TUMOR}.growth_decay", f"{TUMOR}.egfr_growth_share", f"{TUMOR}.arrest_max"
NEEDED = frozenset(
    f"{TUMOR}.{field}" for field in ("egfr_entry_need", "ligand_basal", "ligand_fast", "ligand_senescent")
)
# Guesses of what a simulation would tell, tried on CR1197 by the curvature they leave: senescent share of a tumor under the CDK4/6
# inhibitor, and how much of its growth is that of cells which it arrests. An entry shown to less than the last tells nothing.
SENESCENT_SHARE, ARRESTED_SHARE, SMALLEST_SHARE = 0.2, 0.3, 0.01
NO_AGING = 1e-9


def shown_offsets(
    assembly: Assembly, design: Design, *, grid: Grid, values: dict[str, Symbol], known: dict[str, float]
) -> tuple[Symbol, Symbol]:
    """What is added to the logarithms of the entry rate, a scalar, and of the growth rates, `[subject]`, to give what is sampled.

    Zero for tumor models other than that of senolysis.

    Parameters
    ----------
    values
        Parameters that are declared, by full name, in written units.
    known
        Those of them that are not sampled.
    """
    if not issubclass(assembly.tumor_class, Senolysis):
        return 0.0, np.zeros(design.subjects)
    effects = _usual_effects(assembly, design, grid=grid, values=values, known=known)
    slowing: Symbol = log1p(-ARRESTED_SHARE * values[ARREST] * effects.active)
    slowing = slowing + log1p(-values[GROWTH_SHARE] * effects.blocked)
    if DECAY in values:
        seen_h = np.zeros(design.subjects)
        np.maximum.at(seen_h, design.subject_of, design.times_h)
        aged = values[DECAY] * factor(assembly.parameters[DECAY].unit, "1/h") * np.maximum(seen_h, 1.0) + NO_AGING
        slowing = slowing + log(-expm1(-aged) / aged)
    return effects.entry, slowing


@dataclass(frozen=True, slots=True, kw_only=True)
class _UsualEffects:
    """What the drugs do on average over the study.

    Attributes
    ----------
    entry
        Logarithm of the share of its rate at which entry into arrest proceeds, average of the groups that get the CDK4/6 inhibitor.
    active
        Activation of RB, `[subject]`.
    blocked
        Share of the untreated EGFR signal that is taken away, `[subject]`.
    """

    entry: Symbol
    active: Symbol
    blocked: Symbol


def _usual_effects(
    assembly: Assembly, design: Design, *, grid: Grid, values: dict[str, Symbol], known: dict[str, float]
) -> _UsualEffects:
    """Average effects under the parameters that they need; `known` are those that are not sampled."""
    needed = assembly.on_exposure_lanes | NEEDED
    names = [name for name in values if name in needed and name not in known]
    others = dict.fromkeys(assembly.parameters, float("nan"))
    weights = jnp.asarray(grid.lengths_h / grid.lengths_h.sum())[:, None]
    treated = np.zeros(design.groups, dtype=bool)
    for name, drug in assembly.drugs.items():
        if drug.target == CDK46:
            treated |= np.asarray(design.doses[name].amount_mg).sum(axis=0) > 0.0

    def effects(*arrays: Array) -> tuple[Array, Array, Array]:
        sampled = {name: to_groups(value, design) for name, value in zip(names, arrays, strict=True)}
        full: dict[str, Any] = {**others, **known, **sampled}
        full |= {name: full[other] for name, other in assembly.tied.items()}
        model = assembly.tumor_model(full)
        assert isinstance(model, Senolysis)
        exposures = assembly.exposures(full, design.doses, grid, weight_kg=jnp.asarray(design.weight_kg))
        active, unblocked = (drive.mean for drive in model.forcings(exposures, grid))
        senescent = jnp.where(treated, SENESCENT_SHARE, 0.0)
        ligand = model.ligand_basal + model.ligand_fast * active + model.ligand_senescent * senescent
        lost = model.lost(model.signal(ligand, unblocked))
        entering = active * (1.0 - model.egfr_entry_need * lost)
        shares = (jnp.broadcast_to(each, (weights.size, design.groups)) for each in (entering, active, lost))
        entering, active, lost = (jnp.sum(weights * each, axis=0) for each in shares)
        entry = jnp.mean(jnp.log(entering[treated] + SMALLEST_SHARE)) if treated.any() else jnp.zeros(())
        return entry, active, lost

    found: Any = wrap_jax(effects)  # whose annotation knows no tuple
    entry, active, lost = found(*(values[name] for name in names))
    return _UsualEffects(entry=entry, active=active[design.group_of], blocked=lost[design.group_of])
