"""The layers of a network as a diagram: boxes and wires in HTML, beside each other, on a phone below each other."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spikewright.report.groups import percent
from spikewright.viewer.subject import Subject


def diagram(subject: Subject, rates: Sequence[float] | None) -> str:
    """The network from its inputs to its classes.

    Parameters
    ----------
    subject : Subject
    rates : sequence of float, optional
        Events per input and step, then spikes per neuron and step of every spiking layer.
    """
    shape = subject.shape
    first = _rate(rates[0], "events per input and step") if rates else ""
    items = [f"<li>{_box('input', 'Inputs', str(shape.inputs), [f'{shape.timesteps} steps', first])}</li>"]
    for index, layer in enumerate(subject.layers):
        lines = []
        if layer.spiking and rates:
            lines.append(_rate(rates[index + 1], "spikes per neuron and step"))
        loop = ""
        if layer.own is not None and layer.delays is not None:
            steps = np.rint(layer.delays).astype(np.int64)
            loop = (
                f'<div class="loop">&#8635; recurrent, {_wires(layer.own)}'
                f"delays {int(steps.min())} &ndash; {int(steps.max())} steps</div>"
            )
        kind = ("", f"Layer {index}") if layer.spiking else ("readout", "Read-out")
        size = f"{layer.neurons}"
        lines.insert(0, "neurons" if layer.spiking else "classes")
        items.append(
            f'<li><div class="wire">{_wires(layer.feed)}</div>{_box(kind[0], kind[1], size, lines, loop)}</li>'
        )
    return f'<ol class="network" aria-label="Layers">{"".join(items)}</ol>'


def _wires(weights: npt.NDArray[np.generic]) -> str:
    filled = float(np.count_nonzero(weights)) / max(1, weights.size)
    return (
        f"<div>{weights.shape[0]} &times; {weights.shape[1]}"
        f'<span class="bar"><span style="width: {100 * filled:.1f}%"></span></span></div>'
        f"<div>{percent(round(1 - filled, 3))} zero</div>"
    )


def _rate(rate: float, unit: str) -> str:
    return f"{rate:.3f} {unit}"


def _box(kind: str, title: str, size: str, lines: Sequence[str], loop: str = "") -> str:
    rest = "".join(f'<div class="muted">{html.escape(line)}</div>' for line in lines if line)
    return f'<div class="box {kind}"><div>{html.escape(title)}</div><div class="size">{size}</div>{rest}{loop}</div>'
