"""The pictures: what is drawn lies where it must; those in docs/pictures are of panels and on the dashboard's page."""

import re
import xml.etree.ElementTree

import pytest

import catalogue
import pictures
from svg import HEIGHT, LEFT, RIGHT, WIDTH, Chart, nice_top, shown

SVG = "{http://www.w3.org/2000/svg}"
BYTES_MAX = 30_000
DOC = catalogue.ROOT / "docs/dashboard.md"


def parts(text, tag):
    return xml.etree.ElementTree.fromstring(text).findall(f"{SVG}{tag}")


def test_a_line_goes_from_edge_to_edge_and_higher_values_are_higher_up():
    text = Chart("Reaps", "opm", [("a", [(0, 0), (30, 10), (60, 5)])]).lines()
    (line,) = [path.get("d") for path in parts(text, "path") if path.get("fill") == "none"]
    points = [tuple(map(float, point.split())) for point in re.split("[ML]", line)[1:]]
    assert [x for x, _ in points] == [LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT]
    assert points[1][1] < points[2][1] < points[0][1] < HEIGHT


def test_the_bound_is_drawn_and_the_scale_reaches_it():
    text = Chart("Lag", "s", [("99 %", [(0, 0.004), (9, 0.005)])], bound=1).lines()
    (bound,) = [path for path in parts(text, "path") if path.get("stroke-dasharray")]
    assert "1 s" in [label.text for label in parts(text, "text")]
    assert bound.get("d").startswith(f"M{LEFT} ")


def test_states_are_bands_that_change_their_colour():
    text = Chart("Breakers", "none", [("herd", [(0, 0), (5, 1), (9, 0), (10, 0)]),
                                       ("*", [(0, 0), (10, 0)])]).bands()
    colours = [rect.get("fill") for rect in parts(text, "rect")[1:]]
    widths = [int(rect.get("width")) for rect in parts(text, "rect")[1:]]
    assert [colour == colours[1] for colour in colours] == [False, True, False, False]
    assert sum(widths[:3]) == widths[3] == WIDTH - LEFT - RIGHT


def test_names_are_escaped_and_told_with_their_last_value():
    text = Chart("<Reaps>", "opm", [("a & b", [(0, 1), (1, 12)])]).lines()
    assert "<Reaps>" in [label.text.strip() for label in parts(text, "text")]
    assert "a & b: 12/min" in [label.text for label in parts(text, "text")]


def test_nothing_to_draw_is_an_error_that_names_the_panel():
    with pytest.raises(ValueError, match="Reaps: nothing to draw"):
        Chart("Reaps", "opm", [])


@pytest.mark.parametrize("highest, top", [(0, 1), (0.3, 0.3), (1, 1), (1.01, 2), (7, 8), (200, 200)])
def test_the_scale_ends_at_a_round_number(highest, top):
    assert nice_top(highest) == pytest.approx(top)


@pytest.mark.parametrize("value, unit, text", [
    (0.004, "s", "4 ms"), (2.5, "s", "2.5 s"), (0.995, "percentunit", "99.5 %"), (12, "opm", "12/min"),
    (3, "short", "3"),
])
def test_values_have_their_units(value, unit, text):
    assert shown(value, unit) == text


def test_every_picture_is_of_a_panel():
    assert set(pictures.TITLES) <= {panel["title"] for panel in catalogue.panels()}


def test_the_pictures_are_those_that_the_page_shows():
    there = {path.name for path in pictures.PICTURES.glob("*.svg")}
    assert there and there <= {pictures.file_name(title) for title in pictures.TITLES}
    assert set(re.findall(r"\(pictures/([\w-]+\.svg)\)", DOC.read_text(encoding="utf-8"))) == there


@pytest.mark.parametrize("path", sorted(pictures.PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_picture_is_small_and_well_formed(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < BYTES_MAX
    titles = {panel["title"] for panel in catalogue.panels()}
    assert parts(text, "text")[0].text.strip() in titles
