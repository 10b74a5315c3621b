"""By which routes a drug is given: what its prior file says, since a model of tablets says nothing about an infusion."""

from __future__ import annotations

from functools import cache

from pkpd.domain.dosing import Route
from pkpd.errors import SpecError
from pkpd.io.decode import closest_hint
from pkpd.io.prior_file import Kind
from pkpd.io.priors import read_component, shipped_prior_names


@cache
def _said(drug: str, setting: str) -> tuple[Route, ...] | None:
    """Routes of a shipped drug; None where its prior file does not know the setting, or cannot be used."""
    try:
        return read_component(Kind.DRUG, drug, setting).routes
    except SpecError:
        return None


def drug_routes(drug: str, setting: str) -> tuple[Route, ...]:
    """Routes that the model of a shipped drug holds for in a setting; empty where no prior file says them."""
    return (_said(drug, setting) or ()) if drug in shipped_prior_names(Kind.DRUG) else ()


def usual_route(drug: str, setting: str) -> Route | None:
    """The route of a drug that has only one, and so need not be written; else None."""
    routes = drug_routes(drug, setting)
    return routes[0] if len(routes) == 1 else None


def why_route_is_needed(drug: str, setting: str) -> str | None:
    """Why the route of a dose has to be written; None where it need not, or where the prior file is what is wrong."""
    unreadable = drug in shipped_prior_names(Kind.DRUG) and _said(drug, setting) is None
    if unreadable or usual_route(drug, setting) is not None:
        return None
    return f"{drug} has no usual route in the setting '{setting}'"


def route_choices(drug: str, setting: str) -> tuple[str, ...]:
    """Routes that may be written for a drug: those of its prior file, or every route where that says none."""
    return tuple(str(route) for route in drug_routes(drug, setting) or Route)


def wrong_route(drug: str, setting: str, route: Route) -> tuple[str, str] | None:
    """Message and hint where the model of a drug does not hold for a route; None where it does."""
    routes = drug_routes(drug, setting)
    if not routes or route in routes:
        return None
    message = f"the model of {drug} in the setting '{setting}' does not hold for the route '{route}'"
    return message, closest_hint(str(route), route_choices(drug, setting))
