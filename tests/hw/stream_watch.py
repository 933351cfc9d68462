"""Watches every stream inside of a component in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from amaranth.lib import data, stream, wiring
from amaranth.sim import Simulator

from spikewright_sim.bench.stream import StreamRules


class Watch:
    """All streams of all components that are made while `making` is open, by component and port."""

    def __init__(self) -> None:
        self.components: list[Any] = []
        """All that were made."""
        self.rules: list[tuple[Any, str, StreamRules]] = []
        """Component, port, and what was seen there."""

    @contextmanager
    def making(self) -> Iterator[None]:
        """Components that are made in the block are watched."""
        make = wiring.Component.__init__
        components = self.components

        def note(component: Any, *args: Any, **options: Any) -> None:
            make(component, *args, **options)
            components.append(component)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wiring.Component, "__init__", note)
            yield

    def attach(self, simulator: Simulator) -> None:
        """Watch from the first cycle on; the design is elaborated by now, so that all components are made."""
        signals: list[Any] = []
        for component in self.components:
            for path, port in _streams(component):
                name = f"{type(component).__name__}.{path}"
                rules = StreamRules(name, keep=True)
                self.rules.append((component, path, rules))
                signals += [port.valid, port.ready, port.payload]

        async def watch(ctx: Any) -> None:
            async for _, _, *values in ctx.tick().sample(*signals):
                for index, (_, _, rules) in enumerate(self.rules):
                    valid, ready, payload = values[3 * index : 3 * index + 3]
                    rules.cycle(bool(valid), bool(ready), _plain(payload))

        simulator.add_testbench(watch, background=True)

    def beats(self, component: Any, port: str) -> list[Any]:
        """All that was transferred there."""
        return next(rules.beats for owner, path, rules in self.rules if owner is component and path == port)


def _plain(value: Any) -> Any:
    return value.as_bits() if isinstance(value, data.Const) else value


def _streams(component: Any) -> Iterator[tuple[str, Any]]:
    def walk(signature: Any, owner: Any, path: str) -> Iterator[tuple[str, Any]]:
        if isinstance(signature, wiring.FlippedSignature):
            signature = signature.flip()
        if isinstance(signature, stream.Signature):
            yield path, owner
            return
        for name, member in signature.members.items():
            if not member.is_signature:
                continue
            inner = getattr(owner, name)
            if not member.dimensions:
                yield from walk(member.signature, inner, f"{path}.{name}".lstrip("."))
            else:
                for index, item in enumerate(inner):
                    yield from walk(member.signature, item, f"{path}.{name}.{index}".lstrip("."))

    yield from walk(component.signature, component, "")
