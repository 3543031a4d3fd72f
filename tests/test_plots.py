"""Figures show what they were given: pixels, curves, labels."""

import numpy as np
import pytest
from matplotlib.image import imread

from bespoke_jax import plots

RNG = np.random.default_rng(0)


def test_images_maps_the_data_range_to_black_and_white():
    x = np.stack([np.full((4, 4, 1), v) for v in (-1.0, 0.0, 1.0, 3.0)])
    figure = plots.images({"exact": x, "euler": x[::-1]})
    shown = [axis.images[0].get_array() for axis in figure.axes]
    means = [float(np.mean(np.asarray(image))) for image in shown]
    np.testing.assert_allclose(means, [0, 0.5, 1, 1, 1, 1, 0.5, 0])
    assert [a.get_ylabel() for a in figure.axes[::4]] == ["exact", "euler"]


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3)])
def test_images_of_all_kinds_are_written(tmp_path, shape):
    assert plots.is_image(shape)
    x = RNG.uniform(-1, 1, (3, *shape))
    path = plots.write(plots.images({"a": x}), tmp_path / "a.png")
    assert imread(path).ndim == 3


def test_sheet_fills_its_lines():
    figure = plots.sheet(RNG.uniform(-1, 1, (21, 4, 4)), columns=8)
    assert len(figure.axes) == 16
    assert len(plots.sheet(RNG.uniform(-1, 1, (3, 4, 4)), columns=8).axes) == 3


def test_what_is_no_image_is_refused():
    assert not plots.is_image((2,)) and not plots.is_image((8, 8, 2))
    with pytest.raises(ValueError, match=r"row 'a', got shape \(3, 2\)"):
        plots.images({"a": np.zeros((3, 2))})
    with pytest.raises(ValueError, match="at least one row"):
        plots.images({})


def test_rmse_curves_are_sorted_and_distinct_without_colour():
    curves = {
        "euler": [(16, 0.1), (4, 0.4), (8, 0.2)],
        "midpoint": [(4, 0.3), (8, 0.07)],
    }
    figure = plots.rmse_against_nfe(curves, {"bespoke_midpoint": (8, 0.01)})
    (axis,) = figure.axes
    lines = {str(line.get_label()): line for line in axis.lines}
    star = "bespoke_midpoint (0.01 at 8 NFE)"
    assert set(lines) == {"euler", "midpoint", star}
    np.testing.assert_array_equal(lines["euler"].get_xdata(), [4, 8, 16])
    np.testing.assert_array_equal(lines["euler"].get_ydata(), [0.4, 0.2, 0.1])
    np.testing.assert_array_equal(lines[star].get_xdata(), [8])
    assert len({(str(li.get_linestyle()), li.get_marker()) for li in axis.lines}) == 3
    assert axis.get_xscale() == axis.get_yscale() == "log"
    assert "NFE" in axis.get_xlabel() and "units" in axis.get_ylabel()


def test_the_learned_path_is_drawn_beside_the_identity():
    r = np.linspace(0, 1, 9)
    figure = plots.learned_path({"r": r, "t": 0.9 * r**2, "s": 1 + r}, end=0.9)
    time, scale = figure.axes
    drawn = [np.asarray(line.get_ydata()) for a in (time, scale) for line in a.lines]
    expected = [0.9 * r, 0.9 * r**2, np.ones(9), 1 + r]
    np.testing.assert_allclose(drawn, expected)
