"""The host's end of a serial line, in the simulator of Amaranth: a start bit, eight data bits, a stop bit."""

from __future__ import annotations

from typing import Any


async def send_bytes(ctx: Any, rx: Any, data: bytes, divisor: int, stop: int = 1) -> None:
    """Send over `rx`, `divisor` cycles a bit; the line rests high afterwards. A byte with `stop` 0 is a broken one."""
    for byte in data:
        for level in (0, *((byte >> k) & 1 for k in range(8)), stop):
            ctx.set(rx, level)
            await ctx.tick().repeat(divisor)
    ctx.set(rx, 1)


async def receive_byte(ctx: Any, tx: Any, divisor: int) -> bytes:
    """Wait for the next byte on `tx`, and for the middle of its stop bit."""
    await ctx.negedge(tx)
    byte = 0
    await ctx.tick().repeat(divisor // 2)
    for position in range(8):
        await ctx.tick().repeat(divisor)
        byte |= ctx.get(tx) << position
    await ctx.tick().repeat(divisor)
    assert ctx.get(tx) == 1, "stop bit"
    return bytes([byte])
