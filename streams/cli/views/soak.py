"""A soak as a chart: the worker's memory and its lag over time."""

from typing import IO, TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from streams.lab.soak import MEGABYTE, WARM_UP_SHARE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.lab.soak import SoakSample

INCHES: Final = (9, 6)
MEMORY_COLOUR: Final = "#1f5fa8"
LAG_COLOUR: Final = "#b04a00"
WARM_UP_COLOUR: Final = "#eeeeee"


def draw(samples: "Sequence[SoakSample]", title: str, file: IO[bytes]) -> None:
    """Draw a soak as SVG; the warm-up, which is left out, is grey. The same soak, the same bytes.

    Both axes begin at 0: a line that looks flat is flat.
    """
    minutes = [sample.seconds / 60 for sample in samples]
    panels = (
        ("memory of the worker, MB", [s.rss_bytes / MEGABYTE for s in samples], MEMORY_COLOUR),
        ("lag, records", [float(s.lag_records) for s in samples], LAG_COLOUR),
    )
    with mpl.rc_context({"svg.hashsalt": "weir", "svg.fonttype": "none"}):
        figure = Figure(figsize=INCHES, layout="constrained")
        figure.suptitle(title, parse_math=False)
        for axes, (name, values, colour) in zip(
            figure.subplots(2, sharex=True), panels, strict=True
        ):
            axes.axvspan(0, minutes[-1] * WARM_UP_SHARE, color=WARM_UP_COLOUR)
            axes.plot(minutes, values, color=colour, linewidth=1)
            axes.set_ylabel(name)
            axes.set_ylim(0, max(*values, 1.0) * 1.1)
            axes.set_xlim(0, minutes[-1])
            axes.grid(visible=True, alpha=0.3)
        axes.set_xlabel("minutes")
        figure.savefig(file, format="svg", metadata={"Date": None})
