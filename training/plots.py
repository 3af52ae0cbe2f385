"""Pictures of a report as SVG text that stands inside the page and takes its colours from it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

GOOD, BAD, DOUBT, QUIET = "#1a7f37", "#cf222e", "#bf8700", "#6e7781"  # readable on light and dark
STATES: Final[Mapping[str, str]] = {"kept": GOOD, "broken": BAD, "doubtful": DOUBT, "few": QUIET}
ROW_INCHES: Final = 0.3
WIDTH_INCHES: Final = 7.5
MOST_ROWS: Final = 30

Slice = Mapping[str, Any]


def _figure(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _svg(figure: Figure, alt: str) -> str:
    """The picture without prologue; black becomes the colour of the page's text."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": alt, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(fill|stroke): ?#000000", r"\1: currentColor", text)
    text = re.sub(r"(<text style=\")", r"\1fill: currentColor; ", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{alt}"', 1)


def intervals(slices: Sequence[Slice]) -> str:
    """Change of every figure against live with its interval, one line each, regressions first."""
    shown = list(slices[:MOST_ROWS])[::-1]
    figure, axes = _figure(1.0 + ROW_INCHES * len(shown))
    for place, each in enumerate(shown):
        colour = STATES.get(each["state"], QUIET)
        axes.plot([each["low"], each["high"]], [place, place], color=colour, linewidth=2, solid_capstyle="round")
        axes.plot([each["difference"]], [place], "o", color=colour)
    axes.axvline(0, color=QUIET, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(shown)), [f"{each['slice']} · {each['metric']}" for each in shown], fontsize=8)
    axes.set_xlabel("candidate minus live, with 95 % interval")
    return _svg(figure, "Change of every figure against live")


def lengths(subjects: Mapping[str, Sequence[float]]) -> str:
    """How many tokens the answers of each subject have, as cumulative shares."""
    figure, axes = _figure(3.0)
    for (name, sizes), colour in zip(subjects.items(), (QUIET, DOUBT, GOOD), strict=False):
        ordered = sorted(sizes)
        shares = [(place + 1) / len(ordered) for place in range(len(ordered))]
        axes.step(ordered, shares, where="post", color=colour, label=name, linewidth=2)
    axes.set_xlabel("tokens of an answer")
    axes.set_ylabel("share of answers")
    legend = axes.legend(frameon=False)
    for text in legend.get_texts():
        text.set_color("#000000")
    return _svg(figure, "Length of answers")
