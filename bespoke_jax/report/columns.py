"""The columns of a comparison, the same in the terminal and in the report."""

from collections.abc import Callable

from bespoke_jax.metrics import Point

COLUMNS: dict[str, Callable[[Point], str]] = {
    "solver": lambda p: p.name,
    "NFE": lambda p: str(p.nfe),
    "RMSE": lambda p: f"{p.rmse.mean:.4g}",
    "95 % interval": lambda p: f"{p.rmse.low:.3g}..{p.rmse.high:.3g}",
    "median": lambda p: f"{p.rmse.median:.3g}",
    "95th percentile": lambda p: f"{p.rmse.p95:.3g}",
    "flip rate": lambda p: f"{100 * p.rmse.flip_rate:.1f} %",
    "PSNR, dB": lambda p: f"{p.psnr:.1f}",
    "ms per sample": lambda p: f"{1e3 * p.seconds:.3g}",
    "compile, s": lambda p: f"{p.compile_seconds:.2f}",
    "peak, MiB": lambda p: f"{p.peak_bytes / 2**20:.3g}",
}
NARROW = tuple(name for name in COLUMNS if name not in ("95th percentile", "PSNR, dB"))
"""The columns that fit into a terminal 120 characters wide."""

LEGEND = (
    "RMSE: root mean square difference to the exact sample from the same noise, mean "
    "over samples, in data units; interval: 95 % bootstrap. Flip rate: share of "
    "samples off by more than a tenth of the distance between independent samples. "
    "PSNR: of the mean RMSE, for data that spans {data_range:g}. Milliseconds: "
    "compiled, per sample of a batch. Compile: of the program, which solvers of equal "
    "shape share. Peak: weights, noise, temporaries and samples of one batch. Marked: "
    "no solver compared has a lower mean for as few evaluations."
)
