"""What the calls find: the same facts as the commands print with `--json`, and the same tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from spikewright.contract.errors import CheckFailed
from spikewright.contract.shown import Shown


class Result(Shown, Mapping[str, Any]):
    """Facts by name, each of them an attribute as well: `result["accuracy"]` is `result.accuracy`.

    Parameters
    ----------
    report : mapping
        The facts, JSON-ready.
    failed : str, optional
        Why a check did not hold.
    """

    def __init__(self, report: Mapping[str, Any], failed: str | None = None) -> None:
        self.report = dict(report)
        self.failed = failed

    def __getitem__(self, name: str) -> Any:
        return self.report[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.report)

    def __len__(self) -> int:
        return len(self.report)

    def __getattr__(self, name: str) -> Any:
        report = self.__dict__.get("report", {})
        if name not in report:
            raise AttributeError(f"{type(self).__name__} has {', '.join(report)}, and no {name}", name=name, obj=self)
        return report[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.report})

    def check(self) -> Self:
        """The result itself, if its checks held.

        Raises
        ------
        CheckFailed
            If they did not; says why.
        """
        if self.failed is not None:
            raise CheckFailed(self.failed)
        return self
