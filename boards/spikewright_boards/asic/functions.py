"""Boolean expressions of liberty files, as Verilog.

`'` behind an operand and `!` before it are not; `*`, `&` or nothing at all between two is and; `+` and `|` are or; `^`
is exclusive or. Not binds closest, then exclusive or, and, or.
"""

from __future__ import annotations

import re

from spikewright.contract.errors import InputError

_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_][\w\[\]]*)|(?P<number>[01])|(?P<mark>[!'()*&+|^]))")
_DEEPEST = 60


def verilog(expression: str) -> str:
    """A function of a cell as an expression of Verilog.

    Raises
    ------
    InputError
        If it is none.
    """
    return _Function(expression).whole()


def names(expression: str) -> set[str]:
    """Pins, and states, that a function depends on."""
    return set(re.findall(r"[A-Za-z_]\w*", expression))


class _Function:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens: list[str] = []
        rest = expression.strip()
        while rest:
            found = _TOKEN.match(rest)
            if found is None:
                self._fail()
                break
            self._tokens.append(found[0].strip())
            rest = rest[found.end() :].strip()
        self._tokens.reverse()

    def _fail(self) -> None:
        raise InputError(f"function must be a boolean expression of pins, not {self._expression!r:.60}")

    def _peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def whole(self) -> str:
        text = self._or(0)
        if self._tokens:
            self._fail()
        return text

    def _or(self, depth: int) -> str:
        if depth > _DEEPEST:
            self._fail()
        parts = [self._and(depth)]
        while self._peek() in ("+", "|"):
            self._tokens.pop()
            parts.append(self._and(depth))
        return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"

    def _and(self, depth: int) -> str:
        parts = [self._xor(depth)]
        while (token := self._peek()) and token not in (")", "+", "|", "^", "'"):
            if token in ("*", "&"):
                self._tokens.pop()
            parts.append(self._xor(depth))
        return parts[0] if len(parts) == 1 else f"({' & '.join(parts)})"

    def _xor(self, depth: int) -> str:
        parts = [self._operand(depth)]
        while self._peek() == "^":
            self._tokens.pop()
            parts.append(self._operand(depth))
        return parts[0] if len(parts) == 1 else f"({' ^ '.join(parts)})"

    def _operand(self, depth: int) -> str:
        token = self._tokens.pop() if self._tokens else ""
        if token == "!":
            return f"~{self._operand(depth + 1)}" if depth < _DEEPEST else self._or(depth + 1)
        if token == "(":
            text = self._or(depth + 1)
            if self._peek() != ")":
                self._fail()
            self._tokens.pop()
        elif token in ("0", "1"):
            text = f"1'b{token}"
        elif re.match(r"[A-Za-z_]", token):
            text = token
        else:
            self._fail()
        while self._peek() == "'":
            self._tokens.pop()
            text = f"~{text}"
        return text
