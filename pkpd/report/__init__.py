"""One self-contained HTML page per run folder: what was asked, what was found and how far to trust it."""

from pkpd.report.html import render, write_report
from pkpd.report.run_folder import RunFolder, read_run

__all__ = ["RunFolder", "read_run", "render", "write_report"]
