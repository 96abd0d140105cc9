"""What the commands over tables have in common to show: values, shares, marks."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as Shown

from monitor.insight.weights import Mark, Weight
from streams.plain_text import plain


def condition(attribute: str, value: str) -> str:
    """Return a value with its attribute: `card = gold`; an interval has its own in it."""
    return plain(value if _is_interval(attribute, value) else f"{attribute} = {value}")


def under(attribute: str, value: str) -> str:
    """Return a value as it stands under the name of its attribute: `> 30 to 55`, `> 55`."""
    if not _is_interval(attribute, value):
        return plain(value)
    low, _, high = value.partition(f"{attribute} ")
    return plain(f"> {low.removesuffix(' < ')} to {high.removeprefix('<= ')}" if low else high)


def _is_interval(attribute: str, value: str) -> bool:
    return any(f"{attribute} {mark} " in value for mark in ("<=", ">"))


def percent(share: float) -> str:
    """Return a share for a person: 68.4 %."""
    return f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    """Return a mean for a person, in its own unit."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"  # noqa: PLR2004 - digits enough


def chance(p_value: float) -> str:
    """Return a p-value for a person."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"  # noqa: PLR2004 - digits enough


def weight_fields(weight: Weight) -> dict[str, Any]:
    """Return a weight as named fields."""
    return {"count": weight.rows, "t_weight": weight.t_weight, "d_weight": weight.d_weight}


def mark_fields(mark: Mark) -> dict[str, Any]:
    """Return what is more frequent in a class as named fields."""
    return {
        "attribute": mark.attribute,
        "value": mark.value,
        "count": mark.rows,
        "t_weight": mark.t_weight,
        "d_weight": mark.d_weight,
        "share_elsewhere": mark.share_elsewhere,
        "lift": mark.lift,
        "information_gain": mark.gain,
        "p_value": mark.p_value,
    }


def shown(title: str, columns: Sequence[str], words: int = 1) -> Shown:
    """Return an empty table; all but the first columns of `words` are numbers."""
    table = Shown(title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        table.add_column(plain(name), justify="left" if place < words else "right", overflow="fold")
    return table


def console() -> Console:
    """Return where tables are shown. What brackets a value has are its own, and no markup."""
    return Console(markup=False, highlight=False)


def marks_shown(title: str, marks: Iterable[Mark]) -> Shown:
    """Return a table of marks."""
    names = ("value", "rows", "t-weight", "share elsewhere", "d-weight", "lift", "p")
    table = shown(title, names)
    for mark in marks:
        table.add_row(
            condition(mark.attribute, mark.value), f"{mark.rows:,}", percent(mark.t_weight),
            percent(mark.share_elsewhere), percent(mark.d_weight), f"{mark.lift:.2f}",
            chance(mark.p_value),
        )  # fmt: skip
    return table
