"""What every model is made of: parameters that know their unit, and the abstract PK, growth and PD models.

Arrays carry the *lane* as trailing axis. A lane is a (draw, subject) or a (draw, schedule) pair; parameters are scalars
or `[lane]`, states are tuples of `[lane]`, so that one step of the integrator is a handful of fused vector kernels.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.forcing import Forcing, Quadrature
from pkpd.dynamics.timeline import Grid

type Lanes = Float[Array, "*lane"]
type State = tuple[Lanes, ...]


def parameter(unit: str) -> Any:
    """Field of a model that holds a parameter in `unit`; the unit is read by `units_of`."""
    return dataclasses.field(metadata={"unit": unit})


def route_parameter(unit: str, *, neutral: float) -> Any:
    """Field that belongs to the way in rather than to the body, such as a lag.

    `concentration` applies it to absorbed doses. An event table states it per compartment instead (`Entry`), and the event
    engine takes no notice of the field, which is then `neutral`.
    """
    return dataclasses.field(metadata={"unit": unit, "neutral": neutral})


def optional_parameter(unit: str, *, absent: float) -> Any:
    """Field that a file may leave out; it is then `absent`, which switches its term off."""
    return dataclasses.field(metadata={"unit": unit, "absent": absent})


def units_of(model: type) -> dict[str, str]:
    """Parameter name -> unit of a model class, in the order of declaration."""
    return {field.name: field.metadata["unit"] for field in dataclasses.fields(model) if "unit" in field.metadata}


def parameters_of(model: type) -> dict[str, str]:
    """Parameter name -> unit of the parameters that an event table needs: all but those of the route."""
    fields = [field for field in dataclasses.fields(model) if "unit" in field.metadata]
    return {field.name: field.metadata["unit"] for field in fields if "neutral" not in field.metadata}


def optional_of(model: type) -> frozenset[str]:
    """Names of the parameters that a file may leave out."""
    return frozenset(field.name for field in dataclasses.fields(model) if "absent" in field.metadata)


class _Parameterized(eqx.Module):
    """A model whose fields are parameters."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Build from a mapping that may hold more than the model needs; what may be left out is then neutral.

        Raises
        ------
        KeyError
            Naming the first parameter that is missing.
        """
        neutral = {
            field.name: field.metadata.get("neutral", field.metadata.get("absent")) for field in dataclasses.fields(cls)
        }
        return cls(
            **{
                name: values[name] if name in values or neutral[name] is None else jnp.asarray(neutral[name])
                for name in units_of(cls)
            }
        )


class DoseTable(eqx.Module):
    """Doses of one drug, padded to a common count with zero amounts; times in hours, rising.

    Attributes
    ----------
    time_h, duration_h
        Start, and length of the infusion (0: bolus or absorption).
    amount_mg
        Amount of each dose, per lane or shared.
    absorbed
        1 where the dose enters through the absorption site, 0 where it enters the central compartment.
    end_h
        Last time at which anybody asks for a concentration.
    all_absorbed, none_infused
        Known when traced: spares the work for kinds of doses that do not occur.
    """

    time_h: Float[Array, " dose"]
    amount_mg: Float[Array, "dose ..."]
    duration_h: Float[Array, " dose"]
    absorbed: Float[Array, " dose"]
    end_h: float = eqx.field(static=True)
    all_absorbed: bool = eqx.field(static=True, default=False)
    none_infused: bool = eqx.field(static=True, default=False)


class AbstractPKModel(_Parameterized):
    """A structure: compartments that doses enter, and what is seen of them.

    It has two faces. The event engine advances `State`, the amounts of all compartments, through an event table. The drives
    of pharmacodynamic models ask for `concentration`, which need not know of the other compartments.

    Attributes
    ----------
    compartments
        Names, in the order of CMT.
    outputs
        Names and units of what `observe` returns.
    responses
        Compartments that hold no drug and take no dose, such as a tumor; their `A_` stays in the unit of the class.
    grows
        Whether a response never comes to rest, as a tumor that grows: there is then no steady state, and SS is refused.
    """

    compartments: ClassVar[tuple[str, ...]]
    responses: ClassVar[tuple[str, ...]] = ()
    grows: ClassVar[bool] = False
    outputs: ClassVar[Mapping[str, str]]

    @abstractmethod
    def observe(self, amounts: State) -> dict[str, Array]:
        """Outputs by name, from the amounts of all compartments in mg (or in the unit that the class states)."""

    @abstractmethod
    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L, just before any dose that is given at the same time."""

    @abstractmethod
    def onset_h(self) -> Lanes | float:
        """Delay between a dose and its first trace in plasma, hours."""


class Transition(NamedTuple):
    """What a linear structure makes of an interval; entries `[row][column]`, None where nothing ever passes.

    Attributes
    ----------
    matrix
        Amount at the end, per amount at the start.
    response
        Amount at the end, per constant input of 1 mg/h during the interval.
    """

    matrix: tuple[tuple[Array | None, ...], ...]
    response: tuple[tuple[Array | None, ...], ...]


class AbstractLinearPKModel(AbstractPKModel):
    """A structure whose amounts superpose, advanced exactly."""

    @abstractmethod
    def transition(self, length_h: Lanes) -> Transition:
        """Exact change over an interval of the given length; broadcasts over lengths and parameters."""


class AbstractSteppedPKModel(AbstractPKModel):
    """A structure without a closed form, advanced by steps of an L-stable method."""

    @abstractmethod
    def initial(self) -> State:
        """Amounts before anything was given, and after a reset."""

    @abstractmethod
    def slope(self, amounts: State) -> State:
        """Time derivative of the amounts, per hour, without the inputs of infusions."""


class AbstractDrivenPKModel(AbstractSteppedPKModel):
    """A structure whose drug is linear and takes no notice of its responses: the drug is exact at every record.

    Compartments of the drug come first.
    """

    @abstractmethod
    def drug_transition(self, length_h: Lanes) -> Transition:
        """Exact change of the amounts of drug over an interval of the given length."""


class AbstractGrowthLaw(_Parameterized):
    """Natural growth of a tumor that nobody treats."""

    @abstractmethod
    def clock_rate(self, clock: Lanes) -> Lanes:
        """Time derivative, 1/h, of a factor that starts at 1 and slows growth with age."""

    @abstractmethod
    def per_volume(self, volume: Lanes, clock: Lanes) -> Lanes:
        """Growth rate per volume, 1/h."""


class Exposure(eqx.Module):
    """What a pharmacodynamic model may know of one drug; in vitro both are the concentration in the medium."""

    total: Float[Array, " step node *lane"]
    """Concentration in plasma, mg/L."""
    free: Float[Array, " step node *lane"]
    """Unbound concentration at the target, nmol/L."""
    nodes: Quadrature
    """Times of the values, and their weights."""


class AbstractPDModel(_Parameterized):
    """States driven by exposures; never sees a dose.

    `targets` names, for each forcing, the target whose exposure it depends on: forcings of one drug's doses can then be
    computed once and shared by every schedule that gives them.
    """

    targets: ClassVar[tuple[str, ...]]

    @abstractmethod
    def forcings(self, exposures: Mapping[str, Exposure], grid: Grid) -> tuple[Forcing, ...]:
        """Drives of the equations within each step of the grid, from exposures (by target)."""

    @abstractmethod
    def initial(self) -> State:
        """State at time zero, before any dose; every entry has the shape of a lane."""

    @abstractmethod
    def rate(self, state: State, drives: tuple[Array, ...]) -> State:
        """Time derivative of the state, per hour, given the values of the drives."""

    @abstractmethod
    def fast_losses(self, state: State, drives: tuple[Array, ...]) -> dict[int, Array]:
        """Loss rates, per hour, of states that may die within a step; the integrator takes them out exactly."""

    @abstractmethod
    def observe(self, state: State, drives: tuple[Array, ...]) -> dict[str, Array]:
        """Quantities that somebody may want to see, by name."""


class AbstractEndpoint(eqx.Module):
    """How a predicted quantity is observed."""

    @abstractmethod
    def log_density(self, prediction: Array, value: Array, censored: Array) -> Array:
        """Log-likelihood of each observation; `censored` marks those of which only an upper limit, `value`, is known."""

    @abstractmethod
    def draw(self, prediction: Array, deviate: Array) -> Array:
        """Observation that a standard normal deviate makes of a prediction."""
