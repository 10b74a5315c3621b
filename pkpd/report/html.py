"""Writes the report of a run folder as one HTML file that opens without a network."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import jinja2

from pkpd.domain.recommendation import Verdict
from pkpd.errors import Finding, PkpdError
from pkpd.report.run_folder import RunFolder, read_run
from pkpd.report.sections import sections, sentence

NOTICE = (
    "For research use only. Not a medical device, not medical advice, not for decisions about the care of a patient. "
    "Every number here is a model's and rests on the assumptions listed below."
)


def write_report(folder: Path | str, out: Path | str | None = None) -> Path:
    """Read a run folder and write its report, by default to `report/report.html` inside it.

    Raises
    ------
    DataError
        If the folder holds no usable posterior.
    PkpdError
        If the file cannot be written.
    """
    run = read_run(folder)
    target = Path(folder) / "report" / "report.html" if out is None else Path(out)
    text = render(run)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"the report could not be written ({error.strerror or error})"
        raise PkpdError(Finding(code="E_NOT_WRITABLE", where=str(target), message=message)) from error
    return target


def render(run: RunFolder) -> str:
    """Return the page as text; the same run gives the same bytes."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["link"] = _link
    template = environment.from_string(files("pkpd.report").joinpath("template.html.j2").read_text(encoding="utf-8"))
    recommended = run.recommendation
    verdict = None if recommended is None else sentence(recommended.verdict)
    good = recommended is not None and recommended.verdict in (Verdict.RECOMMEND, Verdict.EQUIVALENT)
    return template.render(
        name=run.name,
        notice=NOTICE,
        reliable=run.posterior.reliable,
        created=run.posterior.created,
        verdict=verdict,
        good=good,
        sections=sections(run),
    )


def _link(text: str) -> str:
    """Return the address behind a locator, or nothing: only DOIs and web addresses become links."""
    doi = re.fullmatch(r"(?:doi:\s*)?(10\.\d{4,9}/\S+)", text.strip(), flags=re.IGNORECASE)
    if doi:
        return f"https://doi.org/{doi[1]}"
    return text.strip() if re.fullmatch(r"https?://[^\s\"'<>]+", text.strip()) else ""
