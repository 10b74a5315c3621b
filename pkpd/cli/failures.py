"""The one place where an error becomes a message and an exit code; a traceback never reaches a user unasked."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pkpd.cli.interruption import interruptible
from pkpd.cli.messages import tell, tell_findings
from pkpd.errors import ExitCode, Finding, PkpdError


@contextmanager
def exit_on_user_error(*, verbose: bool = False) -> Iterator[None]:
    """Show what went wrong and leave with the exit code that says which kind of thing it was.

    Parameters
    ----------
    verbose
        Show the traceback of an error that nobody foresaw.
    """
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            with interruptible():
                yield
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except PkpdError as error:
            tell_findings(error.findings)
            raise typer.Exit(int(error.exit_code)) from error
        except KeyboardInterrupt as error:
            tell("interrupted")
            raise typer.Exit(int(ExitCode.INTERRUPTED)) from error
        except OSError as error:
            if verbose:
                tell("".join(traceback.format_exception(error)).rstrip())
            where = "pkpd" if error.filename is None else str(error.filename)
            tell_findings([Finding(code="E_FILE", where=where, message=error.strerror or str(error))])
            raise typer.Exit(int(ExitCode.RUNTIME)) from error
        except Exception as error:
            if verbose:
                tell("".join(traceback.format_exception(error)).rstrip())
            again = "" if verbose else "; run it again with -v for the traceback"
            found = " ".join(str(error).split()) or "no message"
            tell(f"this is a bug in pkpd, please report it: {type(error).__name__}: {found}{again}")
            raise typer.Exit(int(ExitCode.RUNTIME)) from error


def _show_warning(message: Warning | str, *_details: object, **_more: object) -> None:
    """One line: where in our code a warning arose is of no use to the reader."""
    tell(f"warning: {' '.join(str(message).split())}")
