"""Laws that every registered pharmacokinetic model obeys, whatever its parameters; a new model is tested by being registered."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from pkpd.dynamics.base import AbstractPKModel, DoseTable, units_of
from pkpd.dynamics.pk.one_compartment_oral import OneCompartmentOral
from pkpd.dynamics.pk.two_compartment_oral import TwoCompartmentOral
from pkpd.dynamics.pk.two_compartment_saturable import TwoCompartmentSaturable
from pkpd.registry import Registry

MODELS = Registry("pkpd.pk_models", AbstractPKModel)
# Structures with a method of their own for drives; both faces of all others are held to each other in test_event_structures.
NAMES = (
    "one_compartment",
    "one_compartment_oral",
    "three_compartment",
    "three_compartment_oral",
    "two_compartment",
    "two_compartment_oral",
    "two_compartment_saturable",
)
LINEAR = tuple(name for name in NAMES if "half_saturation" not in units_of(MODELS.get(name)))
ABSORBING = tuple(name for name in NAMES if "absorption" in units_of(MODELS.get(name)))
END_H = 200.0
TIMES_H = jnp.linspace(0.0, END_H, 101)
# Wide, and such that every half-life is short enough for the tests of areas.
RANGES = {
    "bioavailability": (0.05, 1.0),
    "lag": (0.0, 3.0),
    "absorption": (0.05, 3.0),
    "clearance": (0.2, 5.0),
    "volume": (2.0, 20.0),
    "central_volume": (2.0, 20.0),
    "peripheral_volume": (2.0, 20.0),
    "intercompartmental_clearance": (0.2, 5.0),
    "second_peripheral_volume": (2.0, 20.0),
    "second_intercompartmental_clearance": (0.2, 5.0),
    "max_elimination_rate": (0.05, 5.0),
    "half_saturation": (0.02, 5.0),
}
# The implicit method takes steps of two hours: antibodies leave in days.
ANTIBODY_RANGES = {
    "clearance": (0.005, 0.1),
    "central_volume": (1.0, 6.0),
    "peripheral_volume": (1.0, 10.0),
    "intercompartmental_clearance": (0.005, 0.2),
    "max_elimination_rate": (0.05, 2.0),
    "half_saturation": (0.02, 5.0),
}
every_model = pytest.mark.parametrize("name", NAMES)
every_linear_model = pytest.mark.parametrize("name", LINEAR)
parameters = st.fixed_dictionaries({field: st.floats(*bounds) for field, bounds in RANGES.items()})

antibodies = st.fixed_dictionaries({field: st.floats(*bounds) for field, bounds in ANTIBODY_RANGES.items()})


def in_range(name: str, drawn: dict[str, float]) -> dict[str, float]:
    """Values as drawn; those of a model of antibodies are moved into their range."""
    if "half_saturation" not in units_of(MODELS.get(name)):
        return drawn
    return {field: float(np.clip(drawn[field], *bounds)) for field, bounds in ANTIBODY_RANGES.items()}


def model(name: str, drawn: dict[str, float]) -> AbstractPKModel:
    drawn = in_range(name, drawn)
    return MODELS.get(name).of({field: jnp.asarray(value) for field, value in drawn.items()})


def doses(name, times_h, amounts_mg, durations_h=None, *, direct=False, end_h=END_H) -> DoseTable:
    """Doses by the model's own route; `direct` ones enter the central compartment of any model."""
    absorbed = name in ABSORBING and not direct
    durations = np.zeros(len(times_h)) if durations_h is None else np.asarray(durations_h, dtype=float)
    return DoseTable(
        time_h=jnp.asarray(times_h, dtype=float),
        amount_mg=jnp.asarray(amounts_mg, dtype=float),
        duration_h=jnp.asarray(durations),
        absorbed=jnp.full(len(times_h), float(absorbed)),
        end_h=end_h,
    )


@eqx.filter_jit
def concentration(drawn: AbstractPKModel, table: DoseTable, times_h=TIMES_H):
    return drawn.concentration(table, times_h)


@eqx.filter_jit
def gradient_of_sum(drawn: AbstractPKModel, table: DoseTable, times_h):
    return jax.grad(lambda pk: jnp.sum(pk.concentration(table, times_h)))(drawn)


@every_linear_model
@settings(max_examples=25)
@given(drawn=parameters, first=st.floats(0.1, 500.0), second=st.floats(0.1, 500.0), gap=st.floats(0.0, 60.0))
def test_the_response_to_two_doses_is_the_sum_of_the_responses(name, drawn, first, second, gap):
    pk = model(name, drawn)

    both = concentration(pk, doses(name, [3.0, 3.0 + gap], [first, second]))

    one = concentration(pk, doses(name, [3.0, 3.0 + gap], [first, 0.0]))
    other = concentration(pk, doses(name, [3.0, 3.0 + gap], [0.0, second]))
    np.testing.assert_allclose(both, one + other, rtol=1e-9, atol=1e-12)


@every_linear_model
@settings(max_examples=25)
@given(drawn=parameters, factor=st.floats(0.01, 100.0))
def test_the_response_is_proportional_to_the_dose(name, drawn, factor):
    pk = model(name, drawn)

    scaled = concentration(pk, doses(name, [0.0, 24.0], [10.0 * factor, 20.0 * factor]))

    np.testing.assert_allclose(scaled, factor * concentration(pk, doses(name, [0.0, 24.0], [10.0, 20.0])), rtol=1e-9)


@every_model
@settings(max_examples=25)
@given(drawn=parameters, share=st.floats(0.01, 0.99))
def test_a_dose_given_in_two_parts_acts_as_one(name, drawn, share):
    pk = model(name, drawn)

    parts = concentration(pk, doses(name, [5.0, 5.0, 29.0], [100.0 * share, 100.0 * (1.0 - share), 50.0]))

    whole = concentration(pk, doses(name, [5.0, 5.0, 29.0], [100.0, 0.0, 50.0]))
    np.testing.assert_allclose(parts, whole, rtol=1e-9, atol=1e-12)


@every_model
@settings(max_examples=25)
@given(drawn=parameters, shift=st.sampled_from([4.0, 24.0, 60.0]))
def test_doses_given_later_act_later(name, drawn, shift):
    pk = model(name, drawn)
    early, late = (doses(name, np.array([0.0, 12.0]) + by, [100.0, 50.0]) for by in (0.0, shift))
    times = jnp.linspace(0.5, END_H - 60.0, 60)

    delayed = concentration(pk, late, times + shift)

    np.testing.assert_allclose(delayed, concentration(pk, early, times), rtol=1e-3, atol=1e-5)


@every_model
@settings(max_examples=25)
@given(drawn=parameters)
def test_nothing_is_there_before_the_first_dose_and_never_less_than_nothing(name, drawn):
    pk = model(name, drawn)

    course = np.asarray(concentration(pk, doses(name, [20.0, 44.0], [100.0, 100.0])))

    assert np.all(course[np.asarray(TIMES_H) <= 20.0] == 0.0)
    assert np.all(course >= -1e-12 * course.max())
    assert np.all(course[(np.asarray(TIMES_H) > 24.0) & (np.asarray(TIMES_H) < 44.0)] > 0.0)


@every_model
@settings(max_examples=25)
@given(drawn=st.lists(parameters, min_size=3, max_size=3))
def test_lanes_do_not_know_of_each_other(name, drawn):
    fields = units_of(MODELS.get(name))
    table = doses(name, [0.0, 24.0], [[100.0], [50.0]])
    lanes = [in_range(name, one) for one in drawn]
    stacked = MODELS.get(name).of({field: jnp.array([one[field] for one in lanes]) for field in fields})

    together = concentration(stacked, table)

    for lane, one in enumerate(drawn):
        alone = concentration(model(name, one), doses(name, [0.0, 24.0], [100.0, 50.0]))
        np.testing.assert_allclose(together[:, lane], alone, rtol=1e-9, atol=1e-12)


@every_linear_model
@settings(max_examples=25)
@given(drawn=parameters)
def test_the_area_under_the_curve_is_the_dose_over_the_clearance(name, drawn):
    pk = model(name, drawn)
    edges = np.concatenate([np.linspace(0.0, 4.0, 9), np.geomspace(4.5, 4000.0, 40)])
    points, weights = np.polynomial.legendre.leggauss(12)
    nodes = edges[:-1, None] + np.diff(edges)[:, None] * 0.5 * (points + 1.0)
    lag = drawn["lag"] if "lag" in units_of(type(pk)) else 0.0

    course = concentration(pk, doses(name, [0.0], [100.0], end_h=5000.0), jnp.asarray(nodes.ravel() + lag))
    area = np.sum(np.asarray(course).reshape(nodes.shape) @ weights * 0.5 * np.diff(edges))

    share = drawn["bioavailability"] if "bioavailability" in units_of(type(pk)) else 1.0
    np.testing.assert_allclose(area, 100.0 * share / drawn["clearance"], rtol=1e-6)


@settings(max_examples=15)
@given(drawn=antibodies, dose=st.floats(10.0, 1000.0))
def test_saturable_elimination_solves_the_differential_equation(drawn, dose):
    pk = model("two_compartment_saturable", drawn)
    times = np.concatenate([[1.0], np.linspace(2.0, END_H, 60)])

    course = concentration(pk, doses("two_compartment_saturable", [0.0], [dose], [2.0]), jnp.asarray(times))

    def rate(time_h, state, infused):
        level = state[0] / drawn["central_volume"]
        out = drawn["intercompartmental_clearance"] * (level - state[1] / drawn["peripheral_volume"])
        saturable = drawn["max_elimination_rate"] * level / (drawn["half_saturation"] + level)
        return [infused - drawn["clearance"] * level - saturable - out, out]

    accurate = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-11}
    during = solve_ivp(rate, (0.0, 2.0), [0.0, 0.0], t_eval=times[:2], args=(dose / 2.0,), **accurate)
    after = solve_ivp(rate, (2.0, END_H), during.y[:, -1], t_eval=times[2:], args=(0.0,), **accurate)
    expected = np.concatenate([during.y[0], after.y[0]]) / drawn["central_volume"]
    np.testing.assert_allclose(course, expected, rtol=2e-3, atol=1e-4 * expected.max())


@every_model
@settings(max_examples=25)
@given(drawn=parameters)
def test_a_short_infusion_acts_like_a_bolus(name, drawn):
    pk = model(name, drawn)
    short = 1e-4
    after = jnp.linspace(0.5, END_H, 80)

    infused = concentration(pk, doses(name, [0.0, 24.0], [100.0, 50.0], [short, short], direct=True), after)

    bolus = concentration(pk, doses(name, [0.0, 24.0], [100.0, 50.0], direct=True), after)
    np.testing.assert_allclose(infused, bolus, rtol=2e-3, atol=1e-6)


@every_model
@settings(max_examples=20)
@given(drawn=parameters, duration=st.floats(0.5, 4.0))
def test_an_infusion_is_the_limit_of_many_small_doses(name, drawn, duration):
    pk = model(name, drawn)
    parts = 200
    starts = 3.0 + duration * (np.arange(parts) + 0.5) / parts
    after = jnp.linspace(3.0 + duration + 0.5, END_H, 50)

    infused = concentration(pk, doses(name, [3.0], [100.0], [duration], direct=True), after)

    drops = concentration(pk, doses(name, starts, np.full(parts, 100.0 / parts), direct=True), after)
    np.testing.assert_allclose(infused, drops, rtol=5e-3, atol=1e-5)


@every_model
def test_a_dose_does_not_act_at_its_own_time(name):
    pk = model(name, {field: bounds[1] for field, bounds in RANGES.items()} | {"lag": 0.0})

    at_dose = concentration(pk, doses(name, [0.0, 24.0], [0.0, 100.0], direct=True), jnp.array([24.0, 24.0 + 1e-6]))

    assert at_dose[0] == 0.0
    assert at_dose[1] > 1.0


def solved(drawn: dict[str, float], elapsed: np.ndarray, volumes: tuple[str, str | None]) -> np.ndarray:
    """Concentration after a unit dose through the absorption site, by the exponential of the rate matrix."""
    central, outer = drawn[volumes[0]], drawn[volumes[1]] if volumes[1] else 1.0
    exchange = drawn["intercompartmental_clearance"] if volumes[1] else 0.0
    rate = drawn["absorption"]
    matrix = np.array(
        [
            [-rate, 0.0, 0.0],
            [rate, -(drawn["clearance"] + exchange) / central, exchange / outer],
            [0.0, exchange / central, -exchange / outer],
        ]
    )
    return np.array([(expm(matrix * max(t, 0.0)) @ [1.0, 0.0, 0.0])[1] / central for t in elapsed])


VOLUMES = {
    OneCompartmentOral: ("volume", None),
    TwoCompartmentOral: ("central_volume", "peripheral_volume"),
}


@pytest.mark.parametrize("kind", VOLUMES, ids=lambda kind: kind.__name__)
@settings(max_examples=25)
@given(drawn=parameters)
def test_the_closed_form_solves_the_differential_equation(kind, drawn):
    pk = kind.of({field: jnp.asarray(value) for field, value in drawn.items()})
    lag = drawn["lag"]
    share = drawn["bioavailability"] if kind is not TwoCompartmentOral else 1.0
    times = np.linspace(0.1, END_H, 40)

    course = concentration(pk, doses("one_compartment_oral", [0.0], [1.0]), jnp.asarray(times))

    np.testing.assert_allclose(course, share * solved(drawn, times - lag, VOLUMES[kind]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", VOLUMES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("which", [0, 1])
@settings(max_examples=20)
@given(drawn=parameters, apart=st.sampled_from([0.0, 1e-12, -1e-9, 1e-7, -1e-5, 1e-3]))
def test_equal_rates_of_absorption_and_elimination_stay_right_and_differentiable(kind, which, drawn, apart):
    central, outer = VOLUMES[kind]
    exchange = drawn["intercompartmental_clearance"] if outer else 0.0
    back = exchange / drawn[outer] if outer else 1.0
    total = (drawn["clearance"] + exchange) / drawn[central] + back
    root = np.sqrt(total**2 - 4.0 * drawn["clearance"] / drawn[central] * back)
    met = (
        0.5 * (total - root)
        if which == 0 and outer
        else 0.5 * (total + root)
        if outer
        else drawn["clearance"] / drawn[central]
    )
    drawn = drawn | {"absorption": met * (1.0 + apart), "lag": 0.0, "bioavailability": 1.0}
    times = np.linspace(0.5, 60.0, 30)
    table = doses("one_compartment_oral", [0.0], [1.0])
    values = {field: jnp.asarray(value) for field, value in drawn.items()}

    course = concentration(kind.of(values), table, jnp.asarray(times))
    gradient = gradient_of_sum(kind.of(values), table, jnp.asarray(times))

    np.testing.assert_allclose(course, solved(drawn, times, VOLUMES[kind]), rtol=1e-4, atol=1e-9)
    assert all(np.isfinite(value) for value in jax.tree.leaves(gradient))


@every_model
def test_gradients_are_finite_before_and_at_the_first_dose(name):
    values = {field: jnp.asarray(0.5 * sum(RANGES[field])) for field in units_of(MODELS.get(name))}
    table = doses(name, [24.0], [100.0])
    times = jnp.array([0.0, 12.0, 24.0, 24.0 + 1e-9, 30.0])

    gradient = gradient_of_sum(MODELS.get(name).of(values), table, times)

    assert all(np.isfinite(value) for value in jax.tree.leaves(gradient))


def test_a_tiny_half_saturation_acts_as_elimination_of_order_zero():
    pk = TwoCompartmentSaturable(
        clearance=jnp.array(1e-9),
        central_volume=jnp.array(3.0),
        peripheral_volume=jnp.array(1.0),
        intercompartmental_clearance=jnp.array(1e-12),
        max_elimination_rate=jnp.array(0.5),
        half_saturation=jnp.array(1e-4),
    )

    course = concentration(pk, doses("two_compartment_saturable", [0.0], [60.0]), jnp.array([24.0, 96.0, 119.0, 130.0]))

    np.testing.assert_allclose(course, [16.0, 4.0, 1.0 / 6.0, 0.0], rtol=5e-3, atol=1e-3)
