"""A network of SpikingJelly becomes Verilog, by way of NIR. Needs `pip install spikingjelly nir nirtorch`."""

import nir
import torch
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir
from torch import nn

import spikewright as sw

torch.manual_seed(0)
layers = nn.Sequential(nn.Linear(12, 20), neuron.LIFNode(tau=4.0), nn.Linear(20, 4), neuron.LIFNode(tau=2.0))
for layer in (layers[0], layers[2]):
    nn.init.normal_(layer.weight, 0.5)
steps = torch.bernoulli(torch.full((40, 8, 12), 0.3))  # (steps, samples, inputs)

nir.write("spikingjelly.nir", export_to_nir(layers, steps[0, :1]))
functional.reset_net(layers)
fired = torch.stack([layers(step) for step in steps])  # by the last layer
network = sw.import_nir("spikingjelly.nir", "spikingjelly", timesteps=40)
*_, last = network.run(steps.transpose(0, 1)).spikes.values()
same = torch.equal(last.transpose(0, 1), fired.double())
model = sw.quantize(network, weight_bits=16)
core = sw.generate(model, "spikingjelly-core", lanes=1)
data = sw.SpikeData(steps.transpose(0, 1).to(torch.uint8), torch.zeros(8, dtype=torch.int64))
mismatches = sw.simulate(core, data, engine="native").mismatches
print(f"{int(fired.sum())} spikes, the same: {same}, mismatches in simulated Verilog: {mismatches}")
