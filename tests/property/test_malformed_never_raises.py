"""Whatever stands in an analysis or its table, the answer is an analysis or findings, never another exception."""

from pathlib import Path
from tempfile import TemporaryDirectory

from analysis_files import ANALYSIS, DOSE_ANALYSIS, TABLE, write
from hypothesis import given
from hypothesis import strategies as st

from pkpd.io.analysis import Examined, examine
from pkpd.io.layout import STANDARD_COLUMNS

cells = st.sampled_from(
    ("", ".", "0", "1", "-1", "2", "1e9", "1e999", "nan", "1,5", "x", "palbociclib", "oral", "intravenous", "a", "24")
)
columns = st.lists(st.sampled_from((*STANDARD_COLUMNS, "other")), min_size=2, max_size=8).map(
    lambda more: ["ID", "TIME", *more]
)
lines = st.sampled_from(ANALYSIS.splitlines())
scraps = st.sampled_from(
    ("", "= 3", "x = 3", "[", '"', "[arm]", "arm = 1", "[[model]]", "[fit]\ndraws = 'x'", "[units.DV]")
)


def examined(analysis: str, table: str | bytes) -> Examined:
    with TemporaryDirectory() as folder:
        return examine(write(Path(folder), analysis=analysis, table=table))


def is_answered(answer: Examined) -> bool:
    return (answer.analysis is not None) or bool(answer.findings)


@given(
    header=columns, data=st.data(), analysis=st.sampled_from((ANALYSIS, DOSE_ANALYSIS, DOSE_ANALYSIS + 'DV = "mm^3"\n'))
)
def test_any_table_is_read_or_answered_with_findings(header, data, analysis):
    rows = data.draw(st.lists(st.lists(cells, min_size=len(header), max_size=len(header)), max_size=4))
    table = "\n".join(",".join(f'"{cell}"' for cell in row) for row in (header, *rows))

    assert is_answered(examined(analysis, table))


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_answered_with_findings(content):
    assert is_answered(examined(ANALYSIS, content))


@given(line=lines, scrap=scraps)
def test_any_change_of_a_line_of_an_analysis_is_read_or_answered_with_findings(line, scrap):
    assert is_answered(examined(ANALYSIS.replace(line, scrap, 1), TABLE))


@given(
    line=lines, value=st.sampled_from(("3", "true", "[]", "{}", '""', '"nan"', "1979-05-27", "[{}]", '["a", 1]', "inf"))
)
def test_any_value_of_another_kind_is_read_or_answered_with_findings(line, value):
    key, equals, _ = line.partition("=")

    assert is_answered(examined(ANALYSIS.replace(line, f"{key}= {value}" if equals else line, 1), TABLE))
