"""What a study asks of the models: who shares an exposure, which doses, which times."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from pkpd.domain.dosing import MINUTES_PER_HOUR, Route
from pkpd.domain.study import Administration, Study
from pkpd.dynamics.assembly import Assembly
from pkpd.dynamics.base import DoseTable
from pkpd.dynamics.forcing import Forcing
from pkpd.dynamics.integrate import integrate
from pkpd.dynamics.timeline import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Lanes and times of one study.

    Exposures are computed once per *group*, subjects with the same doses and body weight, unless a parameter that
    exposures need differs between individuals; then every subject is a group.

    Attributes
    ----------
    doses
        One table per drug, amounts `[dose, group]`.
    group_of
        Group of each subject.
    weight_kg
        Of each group.
    times_h, subject_of
        Of each observation.
    event_times_h
        Times that must be edges of the grid.
    """

    doses: Mapping[str, DoseTable]
    group_of: NDArray[np.int64]
    weight_kg: NDArray[np.float64]
    times_h: NDArray[np.float64]
    subject_of: NDArray[np.int64]
    event_times_h: NDArray[np.float64]
    end_h: float

    @property
    def subjects(self) -> int:
        """Number of subjects."""
        return self.group_of.size

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.weight_kg.size

    def pilot(self, draws: int) -> Design:
        """The same doses and times with `draws` lanes in every group, to try the integrator on."""
        lanes = np.repeat(np.arange(self.groups), draws)
        doses = {
            drug: dataclasses.replace(table, amount_mg=table.amount_mg[:, lanes]) for drug, table in self.doses.items()
        }
        return dataclasses.replace(self, doses=doses, group_of=np.arange(lanes.size), weight_kg=self.weight_kg[lanes])


def design_of(study: Study, drugs: Sequence[str], *, individual_exposure: bool = False) -> Design:
    """Group the subjects of a study and lay out its doses and times."""
    facts = study.subject_facts()
    given: dict[str, list[Administration]] = {subject.name: [] for subject in facts}
    for dose in study.administrations():
        given[dose.subject].append(dose)
    keys = [
        (
            index if individual_exposure else 0,
            subject.weight_kg if subject.weight_kg == subject.weight_kg else None,
            tuple((dose.time_min, dose.drug, dose.mg, dose.duration_min, dose.route) for dose in given[subject.name]),
        )
        for index, subject in enumerate(facts)
    ]
    groups = list(dict.fromkeys(keys))
    data = study.data
    times_h = np.asarray(data["obs_time_h"].values, dtype=np.float64)
    end_h = float(times_h.max(initial=1.0))
    doses = {drug: _table([group[2] for group in groups], drug, end_h) for drug in drugs}
    dose_times = [np.concatenate([np.asarray(t.time_h), np.asarray(t.time_h + t.duration_h)]) for t in doses.values()]
    return Design(
        doses=doses,
        group_of=np.asarray([groups.index(key) for key in keys], dtype=np.int64),
        weight_kg=np.asarray([group[1] if group[1] is not None else np.nan for group in groups]),
        times_h=times_h,
        subject_of=np.asarray(data["obs_subject"].values, dtype=np.int64),
        event_times_h=np.unique(np.concatenate([times_h, *dose_times])),
        end_h=end_h,
    )


def _table(groups: Sequence[tuple[tuple, ...]], drug: str, end_h: float) -> DoseTable:
    """Doses of one drug in every group on the union of their times; absent doses have amount zero."""
    kinds = sorted(
        {(dose[0], dose[3], dose[4] is not Route.INTRAVENOUS) for group in groups for dose in group if dose[1] == drug}
    )
    row = {kind: index for index, kind in enumerate(kinds)}
    amounts = np.zeros((max(len(kinds), 1), len(groups)))
    for column, group in enumerate(groups):
        for time_min, name, mg, duration_min, route in group:
            if name == drug:
                amounts[row[(time_min, duration_min, route is not Route.INTRAVENOUS)], column] += mg
    if not kinds:
        kinds = [(0, 0, True)]
    return DoseTable(
        time_h=jnp.asarray([kind[0] / MINUTES_PER_HOUR for kind in kinds]),
        amount_mg=jnp.asarray(amounts),
        duration_h=jnp.asarray([kind[1] / MINUTES_PER_HOUR for kind in kinds]),
        absorbed=jnp.asarray([float(kind[2]) for kind in kinds]),
        end_h=end_h,
        all_absorbed=all(kind[2] for kind in kinds),
        none_infused=all(kind[1] == 0 for kind in kinds),
    )


def predict_volumes(
    assembly: Assembly, design: Design, values: Mapping[str, Array], grid: Grid, *, checkpoint: bool = True
) -> Float[Array, " edge subject"]:
    """Tumor volume of every subject at every edge of the grid, mm^3.

    Parameters
    ----------
    values
        By full name, in written units: a scalar, or one per subject.
    """
    early = assembly.on_exposure_lanes
    at_groups = {name: to_groups(value, design) if name in early else value for name, value in values.items()}
    exposures = assembly.exposures(at_groups, design.doses, grid, weight_kg=jnp.asarray(design.weight_kg))
    forcings = assembly.tumor_model(at_groups).forcings(exposures, grid)
    groups = (design.weight_kg.size,)
    forcings = jax.tree.map(lambda x: jnp.broadcast_to(x, (x.shape[0], *groups))[:, design.group_of], forcings)
    lanes = (design.subjects,)
    # Scalars are spread over the lanes before the loop: in reverse mode their cotangents are then summed once, not per step.
    at_subjects = {name: jnp.broadcast_to(value, lanes) for name, value in values.items() if name not in early}
    at_subjects |= {name: value for name, value in at_groups.items() if name in early}
    model = assembly.tumor_model(at_subjects)
    return integrate(
        model,
        tuple(Forcing(*forcing) for forcing in forcings),
        jnp.asarray(grid.lengths_h),
        keep=lambda state, drives: model.observe(state, drives)["tumor_volume"],
        checkpoint=checkpoint,
    )


def to_groups(value: Array, design: Design) -> Array:
    """A value per subject becomes one per group, that of its first subject; a scalar stays one."""
    if jnp.ndim(value) == 0:
        return value
    first = np.unique(design.group_of, return_index=True)[1]
    return value[first]
