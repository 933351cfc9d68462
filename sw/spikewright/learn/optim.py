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
from typing import Any

import torch
from torch import Tensor

from spikewright.learn.proximal import Params, Proximal
from spikewright.learn.regularizers import Regularizer


class LinBreg(Proximal):
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

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
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


class AdaBreg(Proximal):
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

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
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


class ProxSGD(Proximal):
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

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        for p, grad in zip(params, grads, strict=True):
            lr = float(group["lr"])
            p.copy_(group["reg"].prox(p - lr * grad, lr))
