from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import ResultError
from neuropipe.plotting import new_figure, style
from neuropipe.report.images import embed, shrink_svg

SVG = '<svg width="144pt" height="72pt" xmlns="http://www.w3.org/2000/svg">{}</svg>'


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    with style():
        figure = new_figure(2.0)
        axes = figure.subplots()
        axes.plot(np.random.default_rng(0).standard_normal(500))
        axes.set(xlabel="<time> & 'more' (s)", title='100 % "quoted" #1 ←')
        figure.savefig(tmp_path / "plot.svg")
    return tmp_path / "plot.svg"


def decoded(source: str) -> str:
    return unquote(source.partition(",")[2])


def test_an_svg_survives_embedding(drawing: Path) -> None:
    image = embed(drawing)
    assert image.width == pytest.approx(7.2)
    assert re.fullmatch(r"data:image/svg\+xml;charset=utf-8,[^\"<>#&\n]+", image.source)
    before = ElementTree.fromstring(drawing.read_text())
    after = ElementTree.fromstring(decoded(image.source))
    words = "".join(after.itertext()).split()
    assert {"<time>", "&", "'more'", "100", "%", '"quoted"', "#1", "←"} <= set(words)
    assert [w for w in "".join(before.itertext()).split() if w in words[-20:]] == [
        w for w in words if w in words[-20:]
    ]
    assert len(image.source) < 0.75 * len(base64.b64encode(drawing.read_bytes()))


def test_images_keep_their_size(tmp_path: Path) -> None:
    """A heat map is a scaled image: cut factors would leave a gap at its end."""
    with style():
        figure = new_figure(2.0)
        figure.subplots().imshow(
            np.random.default_rng(0).random((20, 500)), aspect="auto", interpolation="none"
        )
        figure.savefig(tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    scaled = re.compile(r'transform="[^"]*(?:scale|matrix)[^"]*"')
    assert scaled.findall(text)
    assert scaled.findall(shrink_svg(text)) == scaled.findall(text)
    moved = 'transform="translate(12.345678 7.654321)"'
    assert "translate(12.34 7.65)" in shrink_svg(SVG.format(f"<g {moved}/>"))


def test_only_ids_that_something_names_are_kept() -> None:
    drawn = SVG.format(
        '<defs><clipPath id="c1"/><path id="m1"/></defs><g id="patch_1" style="fill: \'x\'">'
        '<use xlink:href="#m1" xmlns:xlink="l"/><g clip-path="url(#c1)" id="line_2"/></g>'
    )
    assert re.findall(r' id="(\w+)"', shrink_svg(drawn)) == ["c1", "m1"]


def test_quotes_inside_attributes_survive_embedding(tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    path.write_text(
        SVG.format("""<text style="font: 8px 'Arial'" class='a "b"'>it's "so"</text>""")
    )
    node = ElementTree.fromstring(decoded(embed(path).source))[0]
    assert node.get("style") == 'font: 8px "Arial"'
    assert node.get("class") == "a 'b'"
    assert node.text == 'it\'s "so"'


def test_shrinking_moves_no_point_by_a_hundredth(drawing: Path) -> None:
    def points(text: str) -> np.ndarray:
        paths = re.findall(r'\bd="([^"]*)"', text)
        return np.array([float(n) for p in paths for n in re.findall(r"-?\d+\.?\d*", p)])

    text = drawing.read_text()
    np.testing.assert_allclose(points(shrink_svg(text)), points(text), rtol=0, atol=0.01)


@given(st.text(alphabet=st.characters(exclude_categories=["C"]), max_size=40))
def test_any_text_survives_shrinking(text: str) -> None:
    node = ElementTree.Element("text")
    node.text = text
    written = ElementTree.tostring(node, encoding="unicode")
    back = ElementTree.fromstring(shrink_svg(SVG.format(written)))
    assert "".join(back.itertext()).split() == text.split()


def test_a_png_keeps_its_size_in_inches(tmp_path: Path) -> None:
    figure = new_figure(1.0, 3.0)
    figure.savefig(tmp_path / "x.png", dpi=80)
    image = embed(tmp_path / "x.png")
    assert image.width == pytest.approx(3.0, rel=1e-3)
    data = base64.b64decode(image.source.removeprefix("data:image/png;base64,"))
    assert data == (tmp_path / "x.png").read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"<svg>", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n"]
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "figure.svg"
    path.write_bytes(content)
    with pytest.raises(ResultError, match=r"figure\.svg.*expected an SVG or PNG") as caught:
        embed(path)
    assert "\n" not in str(caught.value)
