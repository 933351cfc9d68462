"""What the sparse optimizers share: settings, parameter groups, and the shadow variables of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.contract.shown import Facts, Shown, percent, thousands
from spikewright.learn.eager import EagerOptimizer
from spikewright.learn.regularizers import NoRegularizer
from spikewright.learn.sparsity import sparsity
from spikewright.support.tensors import require_number

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


class Proximal(Shown, EagerOptimizer):
    """An optimizer of `spikewright.learn.optim`, but for the update of a parameter, which is `_update`."""

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        super().__init__(cast(Any, params), defaults)

    def title(self) -> str:
        weights = [p for group in self.param_groups for p in group["params"]]
        return f"{type(self).__name__}: {thousands(sum(p.numel() for p in weights))} parameters"

    def facts(self) -> Facts:
        return [(f"group {index}", _described(group)) for index, group in enumerate(self.param_groups)]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; the constructor passes all of its groups through here.

        Parameters
        ----------
        param_group : dict
            `params`, and settings that differ from the optimizer's own.

        Raises
        ------
        InputError
            If a setting is out of its range or belongs to another optimizer, or a parameter is not real or has a
            shape that the group's regularizer is not defined for.
        """
        super().add_param_group(param_group)
        try:
            self._check_group(len(self.param_groups) - 1)
        except InputError:
            self.param_groups.pop()
            raise

    def _check_group(self, index: int) -> None:
        """Refuse settings out of range; run again at every step, as settings may be written at any time."""
        group = self.param_groups[index]
        if group["reg"] is None:
            group["reg"] = NoRegularizer()
        for name in _FOREIGN - self.defaults.keys():
            if group.get(name):
                raise InputError(f"{name} must be left out, as {type(self).__name__} has no such setting")
        if not (callable(getattr(group["reg"], "prox", None)) and callable(getattr(group["reg"], "sub_grad", None))):
            raise InputError(f"reg must be a regularizer such as L1(0.02), not {group['reg']!r}")
        require_number("lr", group["lr"], lambda lr: lr >= 0, "at least 0")
        if "delta" in group:
            require_number("delta", group["delta"], lambda delta: delta > 0, "above 0")
        if "momentum" in group:
            require_number("momentum", group["momentum"], lambda momentum: 0 <= momentum < 1, "at least 0 and below 1")
        if "betas" in group:
            if not (isinstance(group["betas"], tuple | list) and len(group["betas"]) == 2):
                raise InputError(f"betas must be two numbers, not {group['betas']!r}")
            for beta in group["betas"]:
                require_number("betas", beta, lambda beta: 0 <= beta < 1, "at least 0 and below 1")
            require_number("eps", group["eps"], lambda eps: eps > 0, "above 0")
        check = getattr(group["reg"], "check", NoRegularizer().check)
        names = group.get("param_names") or [f"parameter {i} of group {index}" for i in range(len(group["params"]))]
        for name, p in zip(names, group["params"], strict=True):
            check(p, name)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            params, grads = self._active(index)
            if params:
                self._update(group, params, grads)
        return loss

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        """Of parameters of one group, by their gradients."""
        raise NotImplementedError

    def _active(self, index: int) -> tuple[list[Tensor], list[Tensor]]:
        """Parameters of a group that have a gradient, and the gradients."""
        self._check_group(index)
        params = [p for p in self.param_groups[index]["params"] if p.grad is not None]
        if any(p.grad.is_sparse for p in params):
            raise InputError("gradients must be dense, not sparse")
        return params, [p.grad for p in params]

    def _shadows(self, group: dict[str, Any], params: list[Tensor], buffers: tuple[str, ...]) -> list[Tensor]:
        """Shadow variables that belong to the parameters as they are now; creates those of parameters not seen yet."""
        reg, delta = group["reg"], group["delta"]
        for p in params:
            state = self.state[p]
            if not state:
                state["step"] = 0
                state["shadow"] = p / delta + reg.sub_grad(p)
                state["written"] = p.clone()
            elif not torch.equal(p, state["written"]):
                # Only what was written from outside, and what shares a group with it, leaves the path of the shadow:
                # a mask over some weights must not make the other zero weights forget how far they had come.
                changed = p != state["written"]
                coupled = reg.coupled(changed) if hasattr(reg, "coupled") else torch.ones_like(changed)
                state["shadow"] = torch.where(coupled, p / delta + reg.sub_grad(p), state["shadow"])
            for name in buffers:
                if name not in state:
                    state[name] = torch.zeros_like(p)
        return [self.state[p]["shadow"] for p in params]

    def _write(self, group: dict[str, Any], p: Tensor) -> None:
        """Let a parameter follow its shadow, and remember what was written."""
        state = self.state[p]
        p.copy_(group["reg"].prox(group["delta"] * state["shadow"], group["delta"]))
        state["written"].copy_(p)

    @torch.no_grad()
    def regularization(self) -> list[float]:
        """Value of the regularizer, per parameter group."""
        return [sum(float(group["reg"].value(p)) for p in group["params"]) for group in self.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """As any optimizer's, with the regularizers reduced to their lambda: no objects, so no pickle is needed."""
        state = super().state_dict()
        for group in state["param_groups"]:
            group["reg"] = getattr(group["reg"], "lam", 0.0)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a `state_dict` of an optimizer that was built alike (same groups, same kinds of regularizers).

        Raises
        ------
        InputError
            If it is the state of another kind of optimizer, or a setting in it is out of its range. The optimizer then
            stays as it was.
        """
        # PyTorch adds a setting when a state is loaded, which those from before lack.
        own = self.defaults.keys() - {"differentiable"}
        for group in state_dict["param_groups"]:
            if missing := sorted(own - group.keys()):
                raise InputError(f"state must be that of {type(self).__name__}, not one without {', '.join(missing)}")
        kept = {"step", "shadow", "written"} if "delta" in own else set()
        for index, state in state_dict["state"].items():
            if missing := sorted(kept - state.keys()):
                raise InputError(f"state of parameter {index} must have {', '.join(missing)}, not lack them")
        before = super().state_dict()
        regs = [group["reg"] for group in self.param_groups]
        lams = [reg.lam for reg in regs]
        try:
            super().load_state_dict(state_dict)
            for index, (group, reg) in enumerate(zip(self.param_groups, regs, strict=True)):
                reg.lam, group["reg"] = group["reg"], reg
                self._check_group(index)
        except InputError:
            super().load_state_dict(before)
            for group, reg, lam in zip(self.param_groups, regs, lams, strict=True):
                reg.lam, group["reg"] = lam, reg
            raise


_FOREIGN = {"betas", "eps", "delta", "momentum", "weight_decay", "amsgrad", "dampening", "nesterov", "maximize"}
"""Settings of this and other optimizers that a group may carry, and that change what is learned. Whatever else a group
carries is the user's own note."""


def _described(group: dict[str, Any]) -> str:
    """The settings of a parameter group in a line; its zeros where it is regularized."""
    settings = [f"{name} {value}" for name, value in group.items() if name not in ("params", "param_names", "reg")]
    reg = group["reg"]
    sparse = [] if isinstance(reg, NoRegularizer) else [f"reg {reg!r}", f"{percent(sparsity(group['params']))} zero"]
    return ", ".join([f"{len(group['params'])} tensors", *sparse, *settings])
