"""A small, correct analysis and its table, which each test changes in one place."""

from pathlib import Path

TABLE = """Mouse,day,volume,group
a,0,100,Vehicle
a,7,220,Vehicle
b,0,110,Palbociclib
b,7,150,Palbociclib
"""

ANALYSIS = """schema = 1
name = "small"
assumptions = ["Doses are assumed."]

[study]
setting = "mouse"
data = "study.csv"

[columns]
ID = "Mouse"
TIME = "day"
DV = "volume"
ARM = "group"

[units]
TIME = "d"
DV = "mm^3"

[observations]
endpoint = "tumor_volume"

[covariates]
weight = "22 g"

[model]
disease = "colorectal_pdx"
drugs = ["palbociclib"]

[arm.Vehicle]
control = true

[[arm.Palbociclib.course]]
drug = "palbociclib"
amount = "75 mg/kg"
every = "24 h"
until = "5 d"
"""

DOSE_ANALYSIS = """schema = 1

[study]
setting = "human"
data = "study.csv"

[units]
TIME = "h"
AMT = "mg"
"""

DOSE_TABLE = """ID,TIME,AMT,EVID,DRUG
1,0,125,1,palbociclib
1,24,125,1,palbociclib
"""


def write(folder: Path, *, analysis: str = ANALYSIS, table: str | bytes | None = TABLE) -> Path:
    """Write both files; the path of the analysis."""
    if table is not None:
        content = table if isinstance(table, bytes) else table.encode()
        (folder / "study.csv").write_bytes(content)
    path = folder / "analysis.toml"
    path.write_text(analysis, encoding="utf-8")
    return path
