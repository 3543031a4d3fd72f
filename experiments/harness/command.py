"""The command line of a study: measure what is missing, then write its page."""

from dataclasses import make_dataclass
from importlib import import_module
from typing import Annotated, Any

import tyro

COMMON = (
    "Results, page and figures are written into the folder of the study; rows that are "
    "there are not measured again, so that an interrupted command continues where it "
    "stopped. The page covers everything that was measured with the same settings."
)


def run(package: str | None, description: str | None) -> None:
    """Parse the options of a study and run it.

    A study is a package with `page.py` (`Config`, `write(config)`) and `measure.py`.
    With `--page-only` the page and its figures are written from the stored results, and
    `measure.py` is not imported: it may need other programs.

    Args:
        package: the `__package__` of the study's `__main__.py`.
        description: for `--help`.

    Raises:
        SystemExit: the file was not started with `python -m`.
    """
    if not package:
        raise SystemExit("start a study by its name: python -m experiments.GROUP.STUDY")
    page: Any = import_module(f"{package}.page")
    config = Annotated[page.Config, tyro.conf.arg(name="")]
    fields = [("config", config), ("page_only", bool, False)]
    options: Any = tyro.cli(
        make_dataclass("Options", fields), description=f"{description}\n\n{COMMON}"
    )
    if not options.page_only:
        measure(package, options.config)
    page.write(options.config)


def measure(package: str, config: Any) -> None:
    """Measure what the results of a study lack.

    `measure.py` of a study has `measure(config)`, or `measure_model(config, name)` for
    each name in `config.models`.
    """
    module = import_module(f"{package}.measure")
    if not hasattr(module, "measure_model"):
        module.measure(config)
        return
    for name in config.models:
        module.measure_model(config, name)
