"""A network of snnTorch becomes Verilog, by way of NIR. Needs `pip install snntorch nir nirtorch`."""

import nir
import snntorch as snn
import torch
from snntorch import utils
from snntorch.export_nir import export_to_nir
from torch import nn

import spikewright as sw

torch.manual_seed(0)
# A beta and a threshold for each neuron, or their number is not in the file.
neurons = [snn.Leaky(torch.full((n,), beta), torch.ones(n), init_hidden=True) for n, beta in ((20, 0.9), (4, 0.8))]
layers = nn.Sequential(nn.Linear(12, 20), neurons[0], nn.Linear(20, 4), neurons[1])
steps = torch.bernoulli(torch.full((30, 8, 12), 0.3))  # (steps, samples, inputs)
nir.write("snntorch.nir", export_to_nir(layers, steps[0, 0]))
utils.reset(layers)
fired = torch.stack([layers(step) for step in steps])  # by the last layer

# The file does not say what a reset does, so it has to be given: Leaky takes the threshold off, a step later.
network = sw.import_nir("snntorch.nir", "snntorch", {"reset": "sub_delayed"}, timesteps=30)
same = torch.equal(network.run(steps.transpose(0, 1)).spikes["3"].transpose(0, 1), fired.double())
model = sw.quantize(network, weight_bits=16)
core = sw.generate(model, "snntorch-core", lanes=1)
data = sw.SpikeData(steps.transpose(0, 1).to(torch.uint8), torch.zeros(8, dtype=torch.int64))
mismatches = sw.simulate(core, data, engine="native").mismatches
print(f"{int(fired.sum())} spikes, the same: {same}, mismatches in simulated Verilog: {mismatches}")
