from xml.etree import ElementTree as ET

from training.plots import intervals, lengths

SLICES = [
    {"slice": "language:de", "metric": "quality", "state": "broken", "difference": -0.2, "low": -0.3, "high": -0.1},
    {"slice": "all", "metric": "handoff", "state": "kept", "difference": 0.1, "low": 0.0, "high": 0.2},
]


def test_every_figure_has_its_line() -> None:
    picture = intervals(SLICES)
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "language:de" in picture
    assert "#cf222e" in picture
    assert picture == intervals(SLICES)


def test_both_subjects_are_in_the_picture_of_lengths() -> None:
    picture = lengths({"live": [3, 1, 2], "candidate": [9.0, 8.0]})
    assert "candidate" in picture
    assert "currentColor" in picture
