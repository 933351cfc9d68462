"""Records of measurements that are made one at a time: JSON files with `rows`, each written as soon as it is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.support.files import atomic_path

Row = dict[str, Any]


class Record:
    """The rows of a JSON file, which has one for every value of `keys`, in their order; what else it holds stays.

    Parameters
    ----------
    path : Path
    keys : sequence of str
        Of a row.
    """

    def __init__(self, path: Path, keys: Sequence[str]) -> None:
        self._path = path
        self._keys = tuple(keys)
        self.content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        self._rows = {self._key(row): row for row in self.content["rows"]}

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[key] for key in self._keys)

    def find(self, *values: object) -> Row | None:
        """The row with these values of the keys, if there is one."""
        return self._rows.get(values)

    def put(self, row: Row) -> None:
        """Write the file with a row added, or in the place of the one with its keys."""
        self._rows[self._key(row)] = row
        self.content["rows"] = [self._rows[key] for key in sorted(self._rows)]
        with atomic_path(self._path) as part:
            part.write_text(json.dumps(self.content, indent=1) + "\n", "utf-8")
