"""Steering a training to a sparsity."""

from __future__ import annotations

from spikewright.contract.errors import InputError
from spikewright.learn.proximal import Proximal
from spikewright.learn.regularizers import NoRegularizer
from spikewright.learn.sparsity import sparsity
from spikewright.support.tensors import require_number


class SparsityController:
    """Moves the lambda of one parameter group until a share of its weights is zero.

    Called once per epoch. Lambda grows by `gain * (target - sparsity)`, at most by `largest` and never below 0;
    the shadow variables stay, so that a larger lambda shrinks every weight by the difference. The target itself
    rises in a straight line over the first `ramp` calls.

    Parameters
    ----------
    optimizer : LinBreg, AdaBreg or ProxSGD
    group : int
        Index of the parameter group.
    target : float
        Share of exact zeros, 0 .. below 1.
    gain : float
        Change of lambda per unit of missing sparsity and call.
    ramp : int
        Calls until the full target is asked for; at least 1.
    largest : float
        Largest change of lambda per call.

    Raises
    ------
    InputError
        If a value is out of its range, or the group has no regularizer.
    """

    def __init__(
        self,
        optimizer: Proximal,
        group: int,
        target: float,
        gain: float = 0.05,
        ramp: int = 1,
        largest: float = 0.01,
    ) -> None:
        if not isinstance(optimizer, Proximal):
            raise InputError(f"optimizer must be LinBreg, AdaBreg or ProxSGD, not {type(optimizer).__name__}")
        groups = len(optimizer.param_groups)
        if group not in range(groups):
            raise InputError(f"group must be one of the optimizer's {groups} parameter groups, not {group}")
        require_number("target sparsity", target, lambda target: 0 <= target < 1, "at least 0 and below 1")
        require_number("gain", gain, lambda gain: gain > 0, "above 0")
        require_number("ramp", ramp, lambda ramp: ramp >= 1, "at least 1")
        require_number("largest", largest, lambda largest: largest >= 0, "at least 0")
        if isinstance(optimizer.param_groups[group]["reg"], NoRegularizer):
            raise InputError(f"group must be one with a regularizer, whose lambda can be moved, not group {group}")
        self.group = optimizer.param_groups[group]
        self.target, self.gain, self.ramp, self.largest = target, gain, ramp, largest
        self.calls = 0
        self.start: float | None = None

    def sparsity(self) -> float:
        """Share of exact zeros in the group."""
        return sparsity(self.group["params"])

    def step(self) -> float:
        """Adjust lambda to the present sparsity; returns the new lambda."""
        present = self.sparsity()
        if self.start is None:
            self.start = min(present, self.target)
        self.calls += 1
        goal = self.start + (self.target - self.start) * min(1.0, self.calls / self.ramp)
        change = max(-self.largest, min(self.largest, self.gain * (goal - present)))
        self.group["reg"].lam = max(0.0, self.group["reg"].lam + change)
        return float(self.group["reg"].lam)

    def state_dict(self) -> dict[str, float | None]:
        """What a resumed run needs, besides the optimizer's own state."""
        return {"calls": self.calls, "start": self.start}

    def load_state_dict(self, state: dict[str, float | None]) -> None:
        """Restore a `state_dict`."""
        self.calls = int(state["calls"] or 0)
        self.start = state["start"]
