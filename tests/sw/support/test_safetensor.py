import numpy as np
from safetensors.numpy import load, save

from spikewright.support.safetensor import in_order

TENSORS = {"b": np.arange(3, dtype=np.int8), "a": np.ones((2, 2))}


def test_the_order_of_metadata_is_always_the_same() -> None:
    metadata = {name: f"ü{name}" for name in "gamut"}
    contents = [save(TENSORS, metadata) for _ in range(12)]
    assert len(set(contents)) > 1
    (content,) = {in_order(content) for content in contents}
    assert content.index(b'"a":"') < content.index(b'"g":"') < content.index(b'"u":"')
    loaded = load(content)
    assert {name: array.tolist() for name, array in loaded.items()} == {"b": [0, 1, 2], "a": [[1, 1], [1, 1]]}
    assert (int.from_bytes(content[:8], "little")) % 8 == 0
