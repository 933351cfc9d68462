"""Files of tensors whose bytes depend on what is in them alone."""

from __future__ import annotations

import json


def in_order(content: bytes) -> bytes:
    """The same safetensors file with its metadata in the order of their names; the library writes them in any order.

    Thus a hash of the file is one of its contents.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]
