import subprocess
import sys

import torch

from spikewright.learn.optim import AdaBreg

PROGRAM = """
import sys, torch
from spikewright.learn.optim import AdaBreg
p = torch.nn.Parameter(torch.ones(3))
optimizer = AdaBreg([p])
for _ in range(2):
    optimizer.zero_grad()
    p.sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
print(p.detach().tolist(), "torch._dynamo" in sys.modules)
import torch._dynamo
optimizer.zero_grad()
p.sum().backward()
optimizer.step()
print(p.detach().tolist())
"""


def test_steps_and_states_do_not_import_the_compiler_and_may_follow_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = AdaBreg([p])
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        expected.append(p.detach().tolist())
    assert done.stdout.splitlines() == [f"{expected[1]} False", str(expected[2])], done.stderr
