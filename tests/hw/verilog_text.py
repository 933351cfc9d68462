"""What tests read out of generated Verilog."""

import re
from collections import Counter


def instances(text: str, top: str) -> Counter[str]:
    """How often each module is in a design, by its name: those of shared modules once for each place."""
    bodies = dict(re.findall(r"^module (\w+)(.*?)^endmodule", text, re.MULTILINE | re.DOTALL))
    inside = {
        name: re.findall(r"^  (\w+) (?:#\(.*?\n  \) )?\w+ \($", body, re.MULTILINE | re.DOTALL)
        for name, body in bodies.items()
    }
    found = Counter([top])
    for kind in inside[top]:
        found += instances(text, kind) if kind in bodies else Counter([kind])
    return found
