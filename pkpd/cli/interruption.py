"""Ctrl-C and a request to end (SIGTERM): both stop a command where it is, and neither is lost inside a library."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_REQUESTS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_UNTIL_ASKED_AGAIN = 0.05


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at a request to end, and again at the end, whatever the code inside made of it.

    Samplers catch it and return the draws that they have, or fail on having none: neither is a finished fit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {request: signal.getsignal(request) or signal.SIG_DFL for request in _REQUESTS}
    interrupted = False
    again: threading.Timer | None = None

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    hook = sys.unraisablehook

    def ask_again(lost: sys.UnraisableHookArgs) -> None:
        """A request that arrives during garbage collection is raised in a callback there, and lost."""
        nonlocal again
        if lost.exc_type is KeyboardInterrupt:
            again = threading.Timer(_SECONDS_UNTIL_ASKED_AGAIN, _thread.interrupt_main)
            again.daemon = True
            again.start()
        else:
            hook(lost)

    for request in _REQUESTS:
        signal.signal(request, note)
    sys.unraisablehook = ask_again
    try:
        yield
    except Exception:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        sys.unraisablehook = hook
        if again is not None:
            again.cancel()
        for request, handler in before.items():
            signal.signal(request, handler)
    if interrupted:
        raise KeyboardInterrupt
