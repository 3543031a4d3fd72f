"""The command line of a study: measure what is missing, then write its page."""

from dataclasses import make_dataclass
from importlib import import_module
from typing import Annotated, Any

import tyro


def run(package: str | None, description: str | None) -> None:
    """Parse the options of a study and run it.

    A study is a package with `page.py` (`Config`, `write(config)`) and `measure.py`
    (`measure(config)`). With `--page-only` the page and its figures are written from
    the stored results, and `measure.py` is not imported: it may need other programs.

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
    options: Any = tyro.cli(make_dataclass("Options", fields), description=description)
    if not options.page_only:
        import_module(f"{package}.measure").measure(options.config)
    page.write(options.config)
