"""Registries: the name that a file uses for a model, objective or exporter -> the class that an entry point declares.

Built-ins and third parties are found in the same way. A package adds one by a line of its `pyproject.toml`:

    [project.entry-points."pkpd.pk_models"]
    three_compartment = "my_package.pk:ThreeCompartment"
"""

from __future__ import annotations

import difflib
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from pkpd.errors import Finding, PkpdError, SpecError

GROUPS = (
    "pkpd.pk_models",
    "pkpd.pd_models",
    "pkpd.growth_laws",
    "pkpd.endpoints",
    "pkpd.objectives",
    "pkpd.exporters",
)


class Registry[T]:
    """The classes of one kind, by name; nothing is imported before it is asked for.

    Parameters
    ----------
    group
        Entry-point group, one of `GROUPS`.
    base
        Abstract class that every member extends.

    Examples
    --------
    >>> PK_MODELS = Registry("pkpd.pk_models", AbstractPKModel)  # doctest: +SKIP
    >>> PK_MODELS.get("two_compartment_oral")  # doctest: +SKIP
    """

    def __init__(self, group: str, base: type[T]) -> None:
        if group not in GROUPS:
            raise ValueError(f"'{group}' is not an entry-point group of pkpd; the groups are {', '.join(GROUPS)}")
        self._group = group
        self._base = base
        self._loaded: dict[str, type[T]] = {}

    def names(self) -> tuple[str, ...]:
        """Every registered name, sorted."""
        return tuple(sorted(self._entries))

    def get(self, name: str, *, where: str = "pkpd") -> type[T]:
        """Class that is registered as `name`.

        Parameters
        ----------
        where
            File and key that hold the name, for the error.

        Raises
        ------
        SpecError
            If nothing has that name; lists what there is.
        PkpdError
            If the entry point cannot be imported, or names something else than a subclass of the base.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name, where)
        return self._loaded[name]

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for entry in entry_points(group=self._group):
            other = found.setdefault(entry.name, entry)
            if other.value != entry.value:
                raise PkpdError(
                    Finding(
                        code="E_DUPLICATE_NAME",
                        where=self._group,
                        message=f"'{entry.name}' is declared twice, as {other.value} and as {entry.value}",
                        hint="uninstall one of the two packages, or rename one of the entry points",
                    )
                )
        return found

    def _load(self, name: str, where: str) -> type[T]:
        if name not in self._entries:
            raise self._unknown(name, where)
        entry = self._entries[name]
        try:
            loaded = entry.load()
        except (ImportError, AttributeError) as error:
            raise PkpdError(self._broken(entry, f"cannot be imported: {error}")) from error
        if not (isinstance(loaded, type) and issubclass(loaded, self._base)):
            raise PkpdError(self._broken(entry, f"is not a subclass of {self._base.__name__}"))
        return loaded

    def _unknown(self, name: str, where: str) -> SpecError:
        near = difflib.get_close_matches(name, self.names(), n=1, cutoff=0.5)
        question = f"did you mean '{near[0]}'? " if near else ""
        return SpecError(
            Finding(
                code="E_UNKNOWN_NAME",
                where=where,
                message=f"'{name}' is not one of the {self._group.removeprefix('pkpd.').replace('_', ' ')}",
                hint=f"{question}registered are: {', '.join(self.names()) or 'none'}",
            )
        )

    def _broken(self, entry: EntryPoint, message: str) -> Finding:
        package = entry.dist.name if entry.dist is not None else "the package that declares it"
        return Finding(
            code="E_BROKEN_ENTRY_POINT",
            where=f"{self._group}: {entry.name}",
            message=f"{entry.value} {message}",
            hint=f"install {package} again, or correct its entry point",
        )
