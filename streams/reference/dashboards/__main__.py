"""Write the dashboards into a folder: `python -m streams.reference.dashboards FOLDER`.

A test compares the files with what this makes.
"""

import sys
from pathlib import Path

from streams.reference.dashboards.grafana import json_of
from streams.reference.dashboards.models import MODELS
from streams.reference.dashboards.operations import OPERATIONS
from streams.reference.dashboards.risk_team import RISK_TEAM
from streams.reference.dashboards.systemic import SYSTEMIC


def dashboards() -> dict[str, str]:
    """Return the text of each file, by its name."""
    return {
        f"{board.name}.json": json_of(board) for board in (OPERATIONS, RISK_TEAM, MODELS, SYSTEMIC)
    }


def main() -> None:
    """Write the files into the folder that is given."""
    (folder,) = sys.argv[1:]
    for name, text in dashboards().items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
