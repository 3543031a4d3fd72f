"""The report says what the figures say, and is one file that browsers show whole."""

import html
import re
from html.parser import HTMLParser

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cli_models import MEAN, STD, gaussian

from bespoke_jax import metrics, model, report, solvers
from bespoke_jax.metrics import Point, Summary
from bespoke_jax.reference.paths import Certificate, Paths, take
from bespoke_jax.report.advice import best, cautions, on_front, recommend, told_apart
from experiments.harness import browser


def point(name, nfe, errors, flips=0.0) -> Point:
    """A point with given per-sample errors; solvers called mine are fitted ones."""
    e = np.asarray(errors, np.float64)
    mean, median, low, high = (float(f(e)) for f in (np.mean, np.median, min, max))
    figures = Summary(mean, low, high, median, high, flips)
    solver = solvers.euler(steps=nfe)
    kept, fitted = np.zeros((1, 2)), name.startswith("mine")
    return Point(name, solver, figures, 30.0, 1e-3, 1.0, 2.0**20, e, kept, fitted)


RNG = np.random.default_rng(0)
NOISE = RNG.uniform(0.5, 1.5, 200)


def test_a_shift_of_all_errors_is_told_apart_and_chance_is_not():
    one = point("euler", 8, NOISE)
    assert told_apart(one, point("rk4", 8, NOISE + 0.01))
    assert not told_apart(one, point("rk4", 8, RNG.permutation(NOISE)))


def test_the_recommendation_names_the_lowest_error_each_budget_buys():
    points = [
        point("euler", 4, 4 * NOISE),
        point("mine.json", 4, NOISE),
        point("euler", 8, 2 * NOISE),
        point("rk4", 16, 0.5 * NOISE),
    ]
    assert best(points, 8).name == "mine.json"
    at_4, at_8, at_16 = recommend(points)
    mean = f"{NOISE.mean():.3g}"
    assert at_4.startswith(
        f"With at most 4 network evaluations: mine.json, RMSE {mean} (95 % interval"
    )
    assert "the next, euler, has 4 times that" in at_4
    assert "the first to come as close is rk4 at 16" in at_4
    # Spending 8 buys nothing: the solver of 4 is still the best.
    assert at_8 == "With at most 8: still mine.json at 4 NFE; more gains nothing here."
    assert [on_front(points, p) for p in points] == [False, True, False, True]
    assert at_16.startswith("With at most 16 network evaluations: rk4,")
    assert "training-free" not in at_16


def test_what_chance_explains_is_not_recommended_over_the_rest():
    points = [point("euler", 8, NOISE), point("rk4", 8, RNG.permutation(NOISE))]
    assert "cannot be told apart" in recommend(points)[0]
    (alone,) = recommend([point("mine", 8, NOISE)])
    assert alone.endswith("No training-free solver was compared with it.")
    _, near = recommend([point("mine", 8, NOISE), point("rk4", 4, 2 * NOISE)])
    assert "No training-free solver here comes that close, up to 4" in near


@pytest.fixture(scope="module")
def exact():
    """A Gaussian model of (4, 4, 1) images and 12 paths of its closed-form flow."""
    loaded = gaussian()
    x0, _ = model.noise(loaded, jax.random.key(0), 12)
    knots = jnp.linspace(0, 1, 65, dtype=x0.dtype)
    states = jnp.stack(
        [t * MEAN + jnp.sqrt((t * STD) ** 2 + (1 - t) ** 2) * x0 for t in knots], axis=1
    )
    slopes = jax.vmap(loaded.field, in_axes=(0, 1), out_axes=1)(knots, states)
    end = jnp.ones((), x0.dtype)
    return loaded, Paths(x0, states[:, -1], None, knots, states, slopes, end)


def test_cautions_say_what_rules_the_figures(exact):
    _, paths = exact
    certified = lambda size: paths._replace(
        certificate=Certificate(8, 1e-6, 1e-6, size, 0.0, 0.0)
    )
    points = [point("euler", 4, NOISE, flips=0.4), point("rk4", 8, 1e-3 * NOISE)]
    flips, floor, few = cautions(points, certified(1e-3))
    assert flips.startswith("1 of 2 rows have a flip rate above 5 % (most: euler at 4")
    assert "the errors of rk4 at 8 NFE are within ten times" in floor
    assert few.startswith("12 noises are few")
    (fine, _) = cautions(points[1:], certified(1e-5))
    assert fine.endswith("well below every error here.")


def written(folder, loaded, paths):
    given = {
        "mine & <yours>": solvers.midpoint(steps=2),
        "euler": [solvers.euler(steps=n) for n in (2, 4)],
    }
    points = metrics.work_precision(
        loaded.field, given, paths, keep=12, repeats=1, progress=False
    )
    file = report.write(
        folder / "new" / "report.html",
        loaded.field,
        points,
        paths,
        schedule=loaded.schedule,
        title="A <model>",
    )
    return points, file.read_text("utf-8")


@pytest.fixture(scope="module")
def images(exact, tmp_path_factory):
    return written(tmp_path_factory.mktemp("images"), *exact)


class Reader(HTMLParser):
    """Checks that tags nest, and gathers pictures, links and text."""

    def __init__(self, page):
        super().__init__()
        self.open, self.pictures, self.links, self.words = [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "img":
            self.pictures.append(given)
        if tag not in ("img", "meta"):
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("href", "src") and tag != "img"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.slow
def test_the_page_is_one_file_with_every_picture_described(images):
    points, page = images
    read = Reader(page)
    assert not read.links and "url(" not in page and "<script" not in page
    assert all(p["src"].startswith("data:image/") and p["alt"] for p in read.pictures)
    # Two overviews; for each of two budgets three figures and the strips: the exact
    # samples, and samples and differences of each solver.
    assert len(read.pictures) == 2 + 2 * 3 + 2 * 1 + 2 * len(points)
    text = " ".join(read.words)
    assert "A <model>" in text and "mine & <yours>" in text
    for p in points:
        assert f"{p.rmse.mean:.4g}" in text
        assert f"{100 * p.rmse.flip_rate:.1f} %" in text
    made = "12 noises, the same for every solver"
    for sentence in (*recommend(points), made, "for data that spans 2."):
        assert sentence in text


@pytest.mark.slow
def test_vectors_get_scatter_plots(exact, tmp_path):
    """The same model seen as vectors of 16 numbers."""
    loaded, paths = exact
    flat = lambda a: a.reshape(*a.shape[: a.ndim - 3], 16)
    paths = paths._replace(
        x0=flat(paths.x0),
        x1=flat(paths.x1),
        states=flat(paths.states),
        slopes=flat(paths.slopes),
    )
    _, page = written(tmp_path, loaded._replace(shape=(16,)), paths)
    read = Reader(page)
    assert "joined to the exact ones" in " ".join(read.words)
    assert len(read.pictures) == 2 + 2 * 3 + 3


def test_a_solver_that_diverged_comes_last_and_breaks_nothing(exact, tmp_path):
    loaded, paths = exact
    euler = solvers.euler(steps=2)
    wild = euler._replace(q=euler.q * np.inf)
    points = metrics.work_precision(
        loaded.field,
        {"wild": wild, "euler": euler},
        paths,
        keep=4,
        repeats=1,
        progress=False,
    )
    assert points[0].error == np.inf and points[0].row()["rmse_mean"] is None
    (line,) = recommend(points)
    assert "evaluations: euler, RMSE" in line and "the next, wild, has inf" in line
    assert (
        "Not finite, at least on some noises: wild at 2" in cautions(points, paths)[0]
    )


def test_points_without_samples_are_refused(exact, tmp_path):
    loaded, paths = exact
    given = {"euler": solvers.euler(steps=2)}
    points = metrics.work_precision(
        loaded.field, given, take(paths, slice(0, 4)), repeats=1, progress=False
    )
    for wrong in (points, []):
        with pytest.raises(ValueError, match="pass keep=8"):
            report.write(tmp_path / "report.html", loaded.field, wrong, paths)
    assert not (tmp_path / "report.html").exists()


_MEASURE = """
document.querySelector("iframe").onload = (event) => {
  const page = event.target.contentDocument, all = [...page.images];
  const broken = all.filter(i => !i.complete || !i.naturalWidth).length;
  const thin = all.filter(i => i.getBoundingClientRect().width < 250).length;
  const size = parseFloat(getComputedStyle(page.querySelector("p")).fontSize);
  const found = [page.documentElement.scrollWidth, broken, thin, all.length, size];
  document.querySelector("pre").textContent = "seen " + found.join(" ");
}
"""


@pytest.mark.slow
@pytest.mark.skipif(
    browser.PROGRAM is None, reason="no Chromium installed: page not rendered"
)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_the_whole_page_at_phone_and_desktop_width(
    images, tmp_path, width
):
    """Nothing is wider than the window, every picture is decoded, text is legible.

    The page is laid out in a frame of the given width, since a headless window cannot
    be as narrow as that of a phone; a script around it measures.
    """
    _, page = images
    inside = html.escape(page.replace("<details>", "<details open>"))
    (tmp_path / "frame.html").write_text(
        f'<iframe width={width} height=900 style="border:0" srcdoc="{inside}"></iframe>'
        f"<pre></pre><script>{_MEASURE}</script>"
    )
    seen = browser.run(
        tmp_path / "frame.html",
        "--virtual-time-budget=10000",
        "--window-size=1400,1000",
        "--dump-dom",
        profile=tmp_path / "profile",
    )
    found = re.search(r"<pre>seen (\d+) (\d+) (\d+) (\d+) ([\d.]+)</pre>", seen)
    assert found, seen[-500:]
    wide, broken, thin, pictures = (int(found[k]) for k in (1, 2, 3, 4))
    assert wide <= width  # a table may scroll in its own frame, the page may not
    assert broken == thin == 0 and pictures == len(Reader(page).pictures)
    assert float(found[5]) >= 14
