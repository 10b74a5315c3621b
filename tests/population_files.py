"""The start of a small population analysis: what its table means, up to the structure; each test adds parameters and errors."""


def beginning(structure: str, *, name: str = "study") -> str:
    """Tables of an analysis of `study.csv`, in h, mg and mg/L, up to and with `[model]`."""
    return f"""schema = 1
name = "{name}"
[study]
setting = "human"
data = "study.csv"
[units]
TIME = "h"
AMT = "mg"
DV = "mg/L"
[observations]
endpoint = "concentration"
[model]
structure = "{structure}"
"""
