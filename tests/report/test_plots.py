"""Figures show what they were given: pixels, curves, labels."""

import numpy as np
import pytest
from matplotlib.image import imread

from bespoke_jax import canonical, plots, solvers
from bespoke_jax.metrics import Curvature, StepErrors

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
    figure = plots.rmse_against_nfe(curves, {"bespoke_midpoint": [(8, 0.01)]})
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


def test_curves_without_values_only_take_their_look():
    """Several figures of one page draw a solver alike, also where others miss."""
    whole = plots.rmse_against_nfe({"a": [(4, 1.0)], "b": [(4, 2.0)]}, {})
    part = plots.rmse_against_nfe({"a": [], "b": [(4, 2.0)]}, {})
    (line,) = part.axes[0].lines
    assert line.get_color() == whole.axes[0].lines[1].get_color()
    errors = StepErrors(np.array([0.5, 1.0]), np.array([1e-3, 2e-3]), np.ones(2))
    figure = plots.step_errors({"a": None, "b": errors, "mine": errors}, ["mine"])
    (alone, mine), reached = figure.axes[0].lines, figure.axes[1].lines
    assert alone.get_color() == line.get_color() != mine.get_color()
    np.testing.assert_array_equal(alone.get_ydata(), errors.local)
    np.testing.assert_array_equal(reached[1].get_ydata(), errors.reached)
    assert mine.get_marker() == "*" and "exact path" in figure.axes[1].get_ylabel()


def test_curvature_is_drawn_over_time():
    t = np.array([0.0, 0.5, 1.0])
    bent = Curvature(t, np.array([1.0, 0.0, 1.0]), np.array([2.0, 3.0]), 0.3)
    upper, lower = plots.curvature(bent).axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), bent.departure)
    np.testing.assert_array_equal(lower.lines[0].get_xdata(), [0.25, 0.75])


def joins(axis):
    (lines,) = axis.collections
    return np.stack(lines.get_segments())


def test_scatter_joins_each_sample_to_the_exact_one():
    exact, x = RNG.standard_normal((2, 7, 2))
    (axis,) = plots.scatter(exact, x).axes
    np.testing.assert_allclose(joins(axis), np.stack([exact, x], axis=1))
    with pytest.raises((TypeError, ValueError), match="scatter|shape"):
        plots.scatter(exact, x[:3])


def test_scatter_of_long_vectors_keeps_the_most_spread():
    """Points in a plane of R^5 keep their distances when drawn."""
    plane = np.linalg.qr(RNG.standard_normal((5, 2)))[0]
    flat = RNG.standard_normal((9, 2))
    (axis,) = plots.scatter(flat @ plane.T + 3.0, flat @ plane.T + 3.0).axes
    drawn = joins(axis)[:, 0]
    distances = lambda x: np.linalg.norm(x[:, None] - x[None], axis=-1)
    np.testing.assert_allclose(distances(drawn), distances(flat), atol=1e-9)
    (axis,) = plots.scatter(np.arange(3.0)[::-1], np.ones(3)).axes
    np.testing.assert_array_equal(joins(axis)[0], [[2, 2], [2, 1]])


def test_times_of_solvers_and_grids_stand_on_their_lines():
    times = {"mine": [0.0, 0.1, 0.7]}
    (axis,) = plots.evaluation_times(times, {"uniform": [0.0, 0.5]}, end=0.9).axes
    drawn = [line for line in axis.lines if line.get_linestyle() == "None"]
    np.testing.assert_array_equal(drawn[0].get_xdata(), times["mine"])
    np.testing.assert_array_equal(drawn[1].get_ydata(), [1, 1])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["mine", "uniform"]


def test_the_heat_map_shows_the_canonical_weights():
    solver = solvers.midpoint(steps=2)
    axis, _ = plots.coefficients(solver, title="midpoint").axes
    a, b = canonical(solver)
    shown = axis.images[0].get_array()
    assert isinstance(shown, np.ma.MaskedArray)
    np.testing.assert_allclose(shown[:, 0], a)
    np.testing.assert_allclose(shown[:, 1:].filled(0.0), b)
    np.testing.assert_array_equal(np.asarray(shown.mask)[:, 1:], ~np.tri(4, dtype=bool))
    assert len(axis.texts) == 4 + 10


def test_line_charts_draw_a_name_alike_in_all_panels_and_in_the_legend_once():
    both = {"a": plots.Line([1, 2], [3.0, 4.0], [2.0, 3.0], [4.0, 5.0])}
    second = {"mine": plots.Line([2, 4], [1.0, 2.0]), **both}
    figure = plots.line_chart(
        {"first": both, "second": second}, xlabel="n", ylabel="error", log="xy",
        xticks=(1, 2, 4), fitted=["mine"], note="bands: quartiles",
    )  # fmt: skip
    left, right = figure.axes
    (alone,), (mine, shared) = left.lines, right.lines
    assert alone.get_color() == shared.get_color() != mine.get_color()
    assert mine.get_marker() == "*" and mine.get_color() == plots.FITTED
    (band,) = left.collections
    edges = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert {2.0, 3.0, 4.0, 5.0} <= set(edges)
    assert left.get_title() == "first" and left.get_yscale() == "log"
    assert [text.get_text() for text in left.get_xticklabels()] == ["1", "2", "4"]
    (box,) = figure.legends
    assert sorted(text.get_text() for text in box.get_texts()) == ["a", "mine"]
    assert box.get_title().get_text() == "bands: quartiles"


def test_panels_that_stay_empty_are_hidden():
    three = {str(i): {"a": plots.Line([1], [1.0])} for i in range(3)}
    figure = plots.error_against_nfe(three, columns=2)
    assert [axis.axison for axis in figure.axes] == [True, True, True, False]
    assert figure.axes[0].get_ylabel() == figure.axes[2].get_ylabel() != ""
    assert "NFE" in figure.axes[2].get_xlabel()


def test_bars_have_their_lengths_and_leave_out_what_is_missing():
    figure = plots.bar_chart(
        {
            "digits": {"ours": 2.0, "theirs": 3.0},
            "mixture": {"ours": None, "theirs": 1},
        },
        xlabel="seconds",
        mark=1.0,
    )
    (axis,) = figure.axes
    widths = [[bar.get_width() for bar in group] for group in axis.containers]
    assert widths == [[2.0], [3.0, 1]]
    heights = [bar.get_y() for group in axis.containers for bar in group]
    assert len(set(np.round(heights, 6))) == 3  # none covers another
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == ["digits", "mixture"]


def test_figures_are_written_whole_in_the_format_of_their_suffix(tmp_path):
    figure = plots.bar_chart({"a": {"x": 1.0}}, xlabel="x")
    assert plots.write(figure, tmp_path / "a.svg").read_text().startswith("<?xml")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_differences_are_white_where_samples_agree_and_black_where_they_do_not():
    exact = np.zeros((3, 4, 4, 1))
    rows = {"same": exact, "off": exact + 0.5, "wild": exact + np.nan}
    figure = plots.differences(exact, rows)
    shown = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    means = np.array([image.mean() for image in shown]).reshape(4, 6)
    np.testing.assert_allclose(
        means[:, :3], [[0.5] * 3, [0.5] * 3, [0.75] * 3, [0] * 3]
    )
    np.testing.assert_allclose(means[1:3, 3:], [[1.0] * 3, [0.0] * 3])
    assert not figure.axes[3].images[0].get_visible()  # the exact have no difference
    (text,) = figure.axes[3].texts
    assert "black 0.5" in text.get_text()
