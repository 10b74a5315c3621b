"""A study written as an event table reads back to the same study, to the last bit."""

from pathlib import Path
from tempfile import TemporaryDirectory

import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from pkpd.domain.dosing import Route
from pkpd.domain.study import Administration, Observation, Study, Subject, build_study
from pkpd.io.analysis import examine
from pkpd.io.study_table import study_analysis_tables, study_to_table

HEAD = 'schema = 1\nname = "trip"\n\n[study]\nsetting = "human"\ndata = "trip.csv"\n\n'
TAIL = '\n[model]\ndisease = "pdac_patient"\ndrugs = ["cetuximab", "palbociclib"]\n'

names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=6)
times_min = st.integers(0, 200_000)
amounts = st.floats(1e-3, 1e4)
values = st.floats(1e-6, 1e6)


@st.composite
def observations(draw: st.DrawFn, subject: str) -> list[Observation]:
    times = sorted(draw(st.sets(times_min, min_size=1, max_size=5)))
    found = []
    for time_min in times:
        endpoint = draw(st.sampled_from(("tumor_volume", "neutrophils")))
        value, limit = draw(values), draw(st.just(float("nan")) | values)
        censored = limit > value
        found.append(
            Observation(
                subject=subject,
                time_h=time_min / 60,
                endpoint=endpoint,
                value=limit if censored else value,
                censored=censored,
                lower_limit=limit,
            )
        )
    return found


@st.composite
def administrations(draw: st.DrawFn, subject: str) -> list[Administration]:
    keys = st.tuples(times_min, st.sampled_from(("cetuximab", "palbociclib")))
    found = []
    for time_min, drug in sorted(draw(st.sets(keys, max_size=5))):
        infused = drug == "cetuximab"
        found.append(
            Administration(
                subject=subject,
                time_min=time_min,
                drug=drug,
                mg=draw(amounts),
                route=Route.INTRAVENOUS if infused else Route.ORAL,
                duration_min=draw(st.integers(0, 600)) if infused else 0,
            )
        )
    return found


@st.composite
def studies(draw: st.DrawFn) -> Study:
    subjects = [
        Subject(
            name=name, arm=draw(names), weight_kg=draw(st.floats(0.01, 200.0)), surface_m2=draw(st.floats(0.1, 3.0))
        )
        for name in draw(st.lists(names, min_size=1, max_size=3, unique=True))
    ]
    return build_study(
        name="trip",
        setting="human",
        subjects=subjects,
        observations=[row for subject in subjects for row in draw(observations(subject.name))],
        administrations=[dose for subject in subjects for dose in draw(administrations(subject.name))],
    )


@given(study=studies())
def test_a_study_written_as_an_event_table_reads_back_to_the_same_study(study: Study):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trip.toml"
        (path.parent / "trip.csv").write_text(study_to_table(study), encoding="utf-8")
        path.write_text(HEAD + study_analysis_tables(("tumor_volume", "neutrophils")) + TAIL, encoding="utf-8")

        examined = examine(path)

    assert examined.analysis is not None, "\n".join(str(finding) for finding in examined.findings)
    xr.testing.assert_identical(examined.analysis.study.data, study.data)


@given(study=studies())
def test_writing_what_was_read_gives_the_same_text(study: Study):
    text = study_to_table(study)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trip.toml"
        (path.parent / "trip.csv").write_text(text, encoding="utf-8")
        path.write_text(HEAD + study_analysis_tables(("tumor_volume", "neutrophils")) + TAIL, encoding="utf-8")

        examined = examine(path)

    assert examined.analysis is not None
    assert study_to_table(examined.analysis.study) == text
