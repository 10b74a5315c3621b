"""The command line: one file per command, errors turned into exit codes in one place, and no science."""


def main() -> None:
    """Entry point of the command `pkpd`."""
    from pkpd.cli.app import app

    app()
