"""Numbers without bounds: there and back, and the density that belongs to the prior."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkpd.domain.evidence import Basis
from pkpd.domain.prior import Family, Prior
from pkpd.inference.unbounded import unbounded

SHAPES = {
    Family.LOGNORMAL: (3.0, 0.7),
    Family.NORMAL: (-1.0, 2.0),
    Family.LOGITNORMAL: (0.3, 1.2),
    Family.BETA: (2.0, 3.5),
    Family.HALFNORMAL: (0.0, 0.4),
    Family.HALFCAUCHY: (0.0, 1.5),
}


def prior(family: Family) -> Prior:
    location, scale = SHAPES.get(family, (1.0, 0.0))
    return Prior(family=family, location=location, scale=scale, unit="1", basis=Basis.ASSUMED, source="test")


@given(family=st.sampled_from(list(SHAPES)), z=st.floats(-5.0, 5.0))
def test_the_way_to_a_value_and_back_changes_nothing(family, z):
    number = unbounded(prior(family))

    assert float(number.inverse(number.value(jnp.asarray(z)))) == pytest.approx(z, abs=1e-9)


@pytest.mark.parametrize("family", SHAPES)
def test_the_density_is_that_of_the_prior(family):
    number = unbounded(prior(family))
    grid = jnp.linspace(-30.0, 30.0, 60_001)
    mass = np.cumsum(np.exp(np.asarray(number.log_density(grid))))

    for probability in (0.05, 0.3, 0.5, 0.8, 0.95):
        at = float(number.inverse(jnp.asarray(float(prior(family).quantile(probability)))))
        assert np.interp(at, grid, mass / mass[-1]) == pytest.approx(probability, abs=1e-3)


def test_a_fixed_value_has_no_unbounded_number():
    with pytest.raises(ValueError, match="fixed"):
        unbounded(prior(Family.FIXED))
