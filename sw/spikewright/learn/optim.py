"""Linearized Bregman iterations as ordinary PyTorch optimizers: Adam -> AdaBreg is one line.

Instead of the weights, the optimizers move a shadow variable v, and the weights follow as `prox(delta * v, delta)`:
a weight stays exactly zero until its shadow leaves the flat part of the regularizer (Bungert, Roith, Tenbrinck,
Burger: "A Bregman Learning Framework for Sparse Neural Networks", JMLR 2022). The shadow starts at
`p / delta + reg.sub_grad(p)`, so that the first step leaves from the given weights.

Like every optimizer of PyTorch they start each step from the parameter as they find it. Where it was written from
outside since the last step (a checkpoint restored, averaged weights swapped in, a mask, a bound on a delay), the shadow
starts anew from what was written; all other elements keep theirs.

A parameter group may carry its own `reg`; without one it is trained plainly, by the same update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, cast

import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.contract.shown import Facts, Shown, percent, thousands
from spikewright.learn.eager import EagerOptimizer
from spikewright.learn.regularizers import NoRegularizer, Regularizer

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


class _Proximal(Shown, EagerOptimizer):
    """Shared by the three: validation, the shadow variables, and the regularizer of the current weights."""

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
        _check("lr", group["lr"], lambda lr: lr >= 0, "at least 0")
        if "delta" in group:
            _check("delta", group["delta"], lambda delta: delta > 0, "above 0")
        if "momentum" in group:
            _check("momentum", group["momentum"], lambda momentum: 0 <= momentum < 1, "at least 0 and below 1")
        if "betas" in group:
            if not (isinstance(group["betas"], tuple | list) and len(group["betas"]) == 2):
                raise InputError(f"betas must be two numbers, not {group['betas']!r}")
            for beta in group["betas"]:
                _check("betas", beta, lambda beta: 0 <= beta < 1, "at least 0 and below 1")
            _check("eps", group["eps"], lambda eps: eps > 0, "above 0")
        check = getattr(group["reg"], "check", NoRegularizer().check)
        names = group.get("param_names") or [f"parameter {i} of group {index}" for i in range(len(group["params"]))]
        for name, p in zip(names, group["params"], strict=True):
            check(p, name)

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


def _check(name: str, value: Any, ok: Callable[[Any], bool], constraint: str) -> None:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number or isinstance(value, Tensor) and value.numel() == 1):
        raise InputError(f"{name} must be a number, not {value!r:.60}")
    if not (math.isfinite(value) and ok(value)):
        raise InputError(f"{name} must be {constraint}, not {value}")


def _closure_loss(closure: Callable[[], float] | None) -> float | None:
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


class LinBreg(_Proximal):
    """Linearized Bregman iterations, with momentum if wanted.

    ::

        m <- momentum * m + (1 - momentum) * lr * grad
        v <- v - m
        p <- prox(delta * v, delta)

    Parameters
    ----------
    params : parameters or parameter groups
    lr : float
        At least 0.
    reg : Regularizer, optional
        None trains plainly.
    delta : float
        Above 0: strength of the quadratic term that makes the iterations linear; scales the step.
    momentum : float
        0 .. below 1.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        reg: Regularizer | None = None,
        delta: float = 1.0,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "reg": reg, "delta": delta, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = _closure_loss(closure)
        for index, group in enumerate(self.param_groups):
            params, grads = self._active(index)
            if not params:
                continue
            shadows = self._shadows(group, params, ("momentum",) if group["momentum"] else ())
            if group["momentum"]:
                updates = [self.state[p]["momentum"] for p in params]
                torch._foreach_mul_(updates, group["momentum"])
                torch._foreach_add_(updates, grads, alpha=(1 - group["momentum"]) * float(group["lr"]))
                torch._foreach_sub_(shadows, updates)
            else:
                torch._foreach_add_(shadows, grads, alpha=-float(group["lr"]))
            for p in params:
                self.state[p]["step"] += 1
                self._write(group, p)
        return loss


class AdaBreg(_Proximal):
    """Adam on the shadow variable of the Bregman iterations.

    ::

        m <- beta1 * m + (1 - beta1) * grad
        n <- beta2 * n + (1 - beta2) * grad**2
        v <- v - lr * (m / (1 - beta1**k)) / (sqrt(n / (1 - beta2**k)) + eps)
        p <- prox(delta * v, delta)

    Parameters
    ----------
    params : parameters or parameter groups
    lr : float
        At least 0.
    reg : Regularizer, optional
        None trains plainly.
    delta : float
        Above 0.
    betas : (float, float)
        Each 0 .. below 1.
    eps : float
        Above 0.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        reg: Regularizer | None = None,
        delta: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "reg": reg, "delta": delta, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = _closure_loss(closure)
        for index, group in enumerate(self.param_groups):
            params, grads = self._active(index)
            if not params:
                continue
            beta1, beta2 = group["betas"]
            shadows = self._shadows(group, params, ("exp_avg", "exp_avg_sq"))
            means = [self.state[p]["exp_avg"] for p in params]
            squares = [self.state[p]["exp_avg_sq"] for p in params]
            torch._foreach_lerp_(means, grads, 1 - beta1)
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, grads, grads, value=1 - beta2)
            for p, shadow, mean, square in zip(params, shadows, means, squares, strict=True):
                state = self.state[p]
                state["step"] += 1
                correction = math.sqrt(1 - beta2 ** state["step"])
                rate = float(group["lr"]) / (1 - beta1 ** state["step"])
                shadow.addcdiv_(mean, square.sqrt().div_(correction).add_(group["eps"]), value=-rate)
                self._write(group, p)
        return loss


class ProxSGD(_Proximal):
    """Proximal gradient descent, `p <- prox(p - lr * grad, lr)`: the baseline without a shadow variable.

    Parameters
    ----------
    params : parameters or parameter groups
    lr : float
        At least 0.
    reg : Regularizer, optional
        None is plain gradient descent.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    def __init__(self, params: Params, lr: float = 1e-3, reg: Regularizer | None = None) -> None:
        super().__init__(params, {"lr": lr, "reg": reg})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = _closure_loss(closure)
        for index, group in enumerate(self.param_groups):
            params, grads = self._active(index)
            for p, grad in zip(params, grads, strict=True):
                lr = float(group["lr"])
                p.copy_(group["reg"].prox(p - lr * grad, lr))
        return loss


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
        optimizer: _Proximal,
        group: int,
        target: float,
        gain: float = 0.05,
        ramp: int = 1,
        largest: float = 0.01,
    ) -> None:
        if not isinstance(optimizer, _Proximal):
            raise InputError(f"optimizer must be LinBreg, AdaBreg or ProxSGD, not {type(optimizer).__name__}")
        groups = len(optimizer.param_groups)
        if group not in range(groups):
            raise InputError(f"group must be one of the optimizer's {groups} parameter groups, not {group}")
        _check("target sparsity", target, lambda target: 0 <= target < 1, "at least 0 and below 1")
        _check("gain", gain, lambda gain: gain > 0, "above 0")
        _check("ramp", ramp, lambda ramp: ramp >= 1, "at least 1")
        _check("largest", largest, lambda largest: largest >= 0, "at least 0")
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


def sparsity(tensors: Iterable[Tensor]) -> float:
    """Share of exact zeros over all elements of the tensors."""
    total = nonzero = 0
    for tensor in tensors:
        total += tensor.numel()
        nonzero += int(torch.count_nonzero(tensor))
    return 1.0 - nonzero / total if total else 0.0


def sparse_init_(weight: Tensor, density: float, generator: torch.Generator | None = None) -> Tensor:
    """Keep each weight with probability `density`, zero the others, and scale by 1/sqrt(density).

    Bregman training starts sparse and adds weights where the loss asks for them; the scale keeps the variance of the
    neurons' inputs (Bungert et al. 2022, section 3.1).

    Parameters
    ----------
    weight : tensor
        Changed in place.
    density : float
        Above 0 .. 1.
    generator : torch.Generator, optional

    Raises
    ------
    InputError
        If the density is out of its range.
    """
    _check("density", density, lambda density: 0 < density <= 1, "above 0 and at most 1")
    with torch.no_grad():
        keep = torch.rand(weight.shape, generator=generator) < density
        return weight.mul_(keep.to(weight.dtype) / math.sqrt(density))
