"""Structures of the event engine against their published equations, solved by an independent method."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad, solve_ivp

import pkpd
from pkpd.dynamics.base import AbstractPKModel, DoseTable, parameters_of
from pkpd.registry import Registry

MODELS = Registry("pkpd.pk_models", AbstractPKModel)
LOOKS_H = np.array([0.5, 1.0, 2.0, 6.0, 23.0, 25.0, 27.5, 30.0, 47.0, 72.0])


class Case(NamedTuple):
    """A structure with numbers, its equations as published, and what it starts from."""

    values: dict[str, float]
    equations: Callable[[np.ndarray], list[float]]
    start: tuple[float, ...]
    central: int


def saturable(x):
    return [-8.0 * x[0] / 10 / (0.4 + x[0] / 10)]


def saturable_oral(x):
    return [-1.2 * x[0], 1.2 * x[0] - 0.3 * x[1] / 10 - 8.0 * x[1] / 10 / (0.4 + x[1] / 10)]


def saturable_two_oral(x):
    out = 2.0 * (x[1] / 10 - x[2] / 20)
    return [-1.2 * x[0], 1.2 * x[0] - 0.3 * x[1] / 10 - 8.0 * x[1] / 10 / (0.4 + x[1] / 10) - out, out]


def target_mediated(x):
    """Gibiansky 2008, in concentrations: V = 3, CL = 0.02, Q = 0.03, Vp = 4, Kss = 0.5, R0 = 3, kdeg = 0.1, kint = 0.04."""
    total, outer, receptor = x[0] / 3.0, x[1] / 4.0, x[2] / 3.0
    free = 0.5 * (total - receptor - 0.5 + np.sqrt((total - receptor - 0.5) ** 2 + 4.0 * 0.5 * total))
    bound = receptor * free / (0.5 + free)
    return [
        -(0.02 + 0.03) * free - 3.0 * 0.04 * bound + 0.03 * outer,
        0.03 * free - 0.03 * outer,
        3.0 * (0.1 * 3.0 - 0.1 * receptor - (0.04 - 0.1) * bound),
    ]


def effect_compartment(x):
    return [-1.2 * x[0], 1.2 * x[0] - 0.2 * x[1], 0.2 * x[1] - 0.2 * x[2]]


def parent_metabolite(x):
    return [-1.2 * x[0], 1.2 * x[0] - 0.2 * x[1], 0.6 * 0.2 * x[1] - 1.0 / 5.0 * x[2]]


def transit(x):
    flow = 4.0 / 2.0 * x[:4]
    return [
        -flow[0],
        flow[0] - flow[1],
        flow[1] - flow[2],
        flow[2] - flow[3],
        flow[3] - 1.2 * x[4],
        1.2 * x[4] - 0.2 * x[5],
    ]


def indirect(on_production: float, on_loss: float):
    def equations(x):
        effect = 0.8 * x[1] / 10 / (1.5 + x[1] / 10)
        made, lost = 1.0 + on_production * effect, 1.0 + on_loss * effect
        return [-1.2 * x[0], 1.2 * x[0] - 0.2 * x[1], 0.1 * 50.0 * made - 0.1 * lost * x[2]]

    return equations


def friberg(effect: Callable[[float], float]):
    """Friberg 2002: ktr = 4 / MTT, MTT = 90 h, Circ0 = 5, gamma = 0.16."""

    def equations(x):
        ktr = 4.0 / 90.0
        prol, t1, t2, t3, circ = x[2:]
        return [
            -1.2 * x[0],
            1.2 * x[0] - 0.2 * x[1],
            ktr * prol * (1.0 - effect(x[1] / 10)) * (5.0 / circ) ** 0.16 - ktr * prol,
            ktr * prol - ktr * t1,
            ktr * t1 - ktr * t2,
            ktr * t2 - ktr * t3,
            ktr * t3 - ktr * circ,
        ]

    return equations


def simeoni(x):
    """Simeoni 2004: lambda0 = 0.02, lambda1 = 4, psi = 20, k1 = 0.03, k2 = 0.01."""
    growing, weight = x[2], np.sum(x[2:])
    hit = 0.01 * x[1] / 10 * growing
    return [
        -1.2 * x[0],
        1.2 * x[0] - 0.2 * x[1],
        0.02 * growing / (1.0 + (0.02 / 4.0 * weight) ** 20) ** (1.0 / 20.0) - hit,
        hit - 0.03 * x[3],
        0.03 * x[3] - 0.03 * x[4],
        0.03 * x[4] - 0.03 * x[5],
    ]


def claret(x):
    """Claret 2009: KL = 0.002, KD = 0.004, lambda = 0.01; x[3] is exp(-lambda t)."""
    return [-1.2 * x[0], 1.2 * x[0] - 0.2 * x[1], 0.002 * x[2] - 0.004 * x[1] / 10 * x[3] * x[2], -0.01 * x[3]]


def koch(x):
    """Koch 2009: lambda0 = 0.01, lambda1 = 4; kappa = 0.02."""
    growth = 2.0 * 0.01 * 4.0 * x[2] / (4.0 + 2.0 * 0.01 * x[2])
    return [-1.2 * x[0], 1.2 * x[0] - 0.2 * x[1], growth - 0.02 * x[1] / 10 * x[2]]


ONE = {"clearance": 2.0, "volume": 10.0, "absorption": 1.2}
SATURABLE = {"max_elimination_rate": 8.0, "half_saturation": 0.4}
RESPONSE = ONE | {"baseline": 50.0, "turnover": 0.1, "max_effect": 0.8, "half_effect": 1.5}
BLOOD = ONE | {"baseline": 5.0, "mean_transit_time": 90.0, "feedback_power": 0.16}
CASES = {
    "one_compartment_saturable": Case({"volume": 10.0} | SATURABLE, saturable, (0.0,), 0),
    "one_compartment_saturable_oral": Case(ONE | SATURABLE | {"clearance": 0.3}, saturable_oral, (0.0,) * 2, 1),
    "two_compartment_saturable_oral": Case(
        {"clearance": 0.3, "central_volume": 10.0, "intercompartmental_clearance": 2.0, "peripheral_volume": 20.0}
        | SATURABLE
        | {"absorption": 1.2},
        saturable_two_oral,
        (0.0,) * 3,
        1,
    ),
    "target_mediated": Case(
        {
            "clearance": 0.02,
            "central_volume": 3.0,
            "intercompartmental_clearance": 0.03,
            "peripheral_volume": 4.0,
            "quasi_steady_constant": 0.5,
            "receptor_baseline": 3.0,
            "receptor_degradation": 0.1,
            "internalization": 0.04,
        },
        target_mediated,
        (0.0, 0.0, 9.0),
        0,
    ),
    "effect_compartment": Case(ONE | {"equilibration": 0.2}, effect_compartment, (0.0,) * 3, 1),
    "parent_metabolite": Case(
        ONE | {"fraction_metabolized": 0.6, "metabolite_clearance": 1.0, "metabolite_volume": 5.0},
        parent_metabolite,
        (0.0,) * 3,
        1,
    ),
    "one_compartment_transit": Case(ONE | {"mean_transit_time": 2.0}, transit, (0.0,) * 6, 5),
    "inhibited_production": Case(RESPONSE, indirect(-1.0, 0.0), (0.0, 0.0, 50.0), 1),
    "inhibited_loss": Case(RESPONSE, indirect(0.0, -1.0), (0.0, 0.0, 50.0), 1),
    "stimulated_production": Case(RESPONSE, indirect(1.0, 0.0), (0.0, 0.0, 50.0), 1),
    "stimulated_loss": Case(RESPONSE, indirect(0.0, 1.0), (0.0, 0.0, 50.0), 1),
    "friberg": Case(
        BLOOD | {"max_effect": 1.5, "half_effect": 1.5},
        friberg(lambda level: 1.5 * level / (1.5 + level)),
        (0.0, 0.0, *(5.0,) * 5),
        1,
    ),
    "friberg_linear": Case(
        BLOOD | {"effect_slope": 0.2}, friberg(lambda level: 0.2 * level), (0.0, 0.0, *(5.0,) * 5), 1
    ),
    "simeoni": Case(
        ONE
        | {"growth_rate": 0.02, "linear_growth": 4.0, "potency": 0.01, "damage_transit": 0.03}
        | {"initial_volume": 150.0},
        simeoni,
        (0.0, 0.0, 150.0, 0.0, 0.0, 0.0),
        1,
    ),
    "claret": Case(
        ONE | {"growth_rate": 0.002, "kill_rate": 0.004, "resistance_rate": 0.01, "baseline_size": 80.0},
        claret,
        (0.0, 0.0, 80.0, 1.0),
        1,
    ),
    "koch": Case(
        ONE | {"growth_rate": 0.01, "linear_growth": 4.0, "potency": 0.02, "initial_volume": 150.0},
        koch,
        (0.0, 0.0, 150.0),
        1,
    ),
}


def solved(case: Case) -> np.ndarray:
    """100 mg into compartment 1 at 0 h, 60 mg into the central one from 24 to 27 h, at every look."""
    state, found = np.array(case.start), []
    state[0] += 100.0
    for begin, end, infused in ((0.0, 24.0, 0.0), (24.0, 27.0, 20.0), (27.0, 72.0, 0.0)):
        looks = LOOKS_H[(begin < LOOKS_H) & (end >= LOOKS_H)]

        def slope(_, x, infused=infused):
            rate = np.array(case.equations(x))
            rate[case.central] += infused
            return rate

        course = solve_ivp(
            slope, (begin, end), state, method="LSODA", rtol=1e-11, atol=1e-12, t_eval=np.unique(np.append(looks, end))
        )
        found.append(course.y[:, : looks.size])
        state = course.y[:, -1]
    return np.concatenate(found, axis=1).T


def model_file(name: str, values: dict[str, float]) -> dict:
    kind = MODELS.get(name)
    return {
        "schema": 1,
        "model": {"structure": name},
        "parameters": {
            word: f"{values[word]} {unit}" if unit != "1" else values[word]
            for word, unit in parameters_of(kind).items()
            if word in values
        },
        "units": {"TIME": "h", "AMT": "mg"},
        "output": dict(kind.outputs),
    }


@pytest.mark.parametrize("name", CASES)
def test_amounts_solve_the_published_equations_and_both_faces_agree(name):
    case, kind = CASES[name], MODELS.get(name)
    table = [
        {"TIME": 0.0, "EVID": 1, "AMT": 100.0, "CMT": 1},
        *({"TIME": time, "EVID": 0} for time in LOOKS_H[:5]),
        {"TIME": 24.0, "EVID": 1, "AMT": 60.0, "CMT": case.central + 1, "RATE": 20.0},
        *({"TIME": time, "EVID": 0} for time in LOOKS_H[5:]),
    ]

    result = pkpd.simulate_events(model_file(name, case.values), pd.DataFrame(table).fillna(0.0))

    looked = result[result["EVID"] == 0]
    amounts = looked[[f"A_{compartment}" for compartment in kind.compartments]].to_numpy()
    np.testing.assert_allclose(amounts, solved(case), rtol=1e-4, atol=1e-4)
    doses = DoseTable(
        time_h=jnp.array([0.0, 24.0]),
        amount_mg=jnp.array([[100.0, 50.0], [60.0, 60.0]]),
        duration_h=jnp.array([0.0, 3.0]),
        absorbed=jnp.array([1.0, 0.0]),
        end_h=72.0,
    )
    drive = kind.of({word: jnp.asarray(value) for word, value in case.values.items()}).concentration(
        doses, jnp.asarray(LOOKS_H)
    )
    np.testing.assert_allclose(drive[:, 0], looked["concentration"], rtol=1e-3, atol=1e-4)
    assert np.all(drive[:3, 1] < drive[:3, 0])


def test_a_kill_that_wanes_is_the_published_integral_over_time_since_the_first_record():
    values = CASES["claret"].values
    times = (30.0, 54.0, 102.0)
    table = [{"TIME": 30.0, "EVID": 1, "AMT": 100.0}, *({"TIME": time, "EVID": 0} for time in times)]

    result = pkpd.simulate_events(model_file("claret", values), pd.DataFrame(table).fillna(0.0))

    def kill(hours: float) -> float:
        level = 100.0 / 10.0 * 1.2 / (1.2 - 0.2) * (np.exp(-0.2 * hours) - np.exp(-1.2 * hours))
        return 0.004 * level * np.exp(-0.01 * hours)

    expected = [80.0 * np.exp(0.002 * (t - 30.0) - quad(kill, 0.0, t - 30.0, epsabs=1e-12)[0]) for t in times]
    np.testing.assert_allclose(result["tumor_size"][1:], expected, rtol=1e-5)


def test_a_large_tumor_grows_linearly_and_neither_its_size_nor_its_growth_overflows():
    values = CASES["simeoni"].values | {"initial_volume": 1e30}
    table = [{"TIME": time, "EVID": 0} for time in (0.0, 100.0)]

    result = pkpd.simulate_events(model_file("simeoni", values), pd.DataFrame(table))

    assert result["tumor_volume"][1] == pytest.approx(1e30)
    small = pkpd.simulate_events(model_file("simeoni", values | {"initial_volume": 500.0}), pd.DataFrame(table))
    assert small["tumor_volume"][1] == pytest.approx(500.0 + 4.0 * 100.0, rel=1e-4)


def test_a_parameter_that_changes_holds_over_the_interval_that_ends_at_its_record_and_a_reset_restores_the_response():
    values = CASES["inhibited_loss"].values
    model = model_file("inhibited_loss", values)
    model["parameters"]["turnover"] = {"column": "KOUT", "unit": "1/h"}
    rows = [(0.0, 1, 100.0, 0.1), (5.0, 2, 0.0, 0.3), (9.0, 0, 0.0, 0.05), (9.0, 3, 0.0, 0.05), (20.0, 0, 0.0, 0.2)]

    result = pkpd.simulate_events(model, pd.DataFrame(rows, columns=["TIME", "EVID", "AMT", "KOUT"]))

    state = np.array([100.0, 0.0, 50.0])
    for begin, end, loss in ((0.0, 5.0, 0.3), (5.0, 9.0, 0.05)):

        def slope(_, x, loss=loss):
            held = loss * (1.0 - 0.8 * x[1] / 10 / (1.5 + x[1] / 10)) * x[2]
            return [-1.2 * x[0], 1.2 * x[0] - 0.2 * x[1], loss * 50.0 - held]

        state = solve_ivp(slope, (begin, end), state, method="LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(result["response"][2], state[2], rtol=1e-5)
    np.testing.assert_allclose(result["response"][3:], 50.0, rtol=1e-12)


def test_every_structure_without_a_simple_closed_form_has_published_equations_here():
    mammillary = {f"{count}_compartment{way}" for count in ("one", "two", "three") for way in ("", "_oral")}

    assert set(MODELS.names()) - mammillary - {"two_compartment_saturable"} == set(CASES)
