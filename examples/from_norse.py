"""A network of Norse becomes Verilog, by way of NIR. Needs `pip install norse nir nirtorch`."""

import nir
import norse.torch as norse
import torch
from norse.torch.utils.export_nir import to_nir
from torch import nn

import spikewright as sw

torch.manual_seed(0)
# Constants for each neuron, or they are not in the file: 1 / tau, leak, threshold and reset.
constants = [(torch.full((n,), 100.0), torch.zeros(n), torch.ones(n), torch.zeros(n)) for n in (20, 4)]
neurons = [norse.LIFBoxCell(norse.LIFBoxParameters(*of_layer)) for of_layer in constants]
layers = norse.SequentialState(nn.Linear(12, 20), neurons[0], nn.Linear(20, 4), neurons[1])
for layer in (layers[0], layers[2]):
    nn.init.normal_(layer.weight, 0.5)  # what comes in is scaled by dt / tau, a tenth
steps = torch.bernoulli(torch.full((60, 8, 12), 0.3))  # (steps, samples, inputs)
fired, state = [], None
for step in steps:
    spikes, state = layers(step, state)
    fired.append(spikes)
fired = torch.stack(fired)  # by the last layer

nir.write("norse.nir", to_nir(layers, steps[0, :1]))
network = sw.import_nir("norse.nir", "norse", timesteps=60)
same = torch.equal(network.run(steps.transpose(0, 1)).spikes["3"].transpose(0, 1), fired.double())
model = sw.quantize(network, weight_bits=16)
core = sw.generate(model, "norse-core", lanes=1)
data = sw.SpikeData(steps.transpose(0, 1).to(torch.uint8), torch.zeros(8, dtype=torch.int64))
mismatches = sw.simulate(core, data, engine="native").mismatches
print(f"{int(fired.sum())} spikes, the same: {same}, mismatches in simulated Verilog: {mismatches}")
