"""Chromium without a screen, told what to do over its DevTools protocol, for tests that look at pages."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LONGEST = 60
"""Seconds that a page may take."""


def found() -> str | None:
    """Path of the system's Chromium; `SPIKEWRIGHT_BROWSER` names another."""
    named = os.environ.get("SPIKEWRIGHT_BROWSER")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """A page that is open: what it logged and asked for, and what its JavaScript says."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: Any):
        self._loop, self._socket, self._number = loop, socket, 0
        self.problems: list[str] = []
        """Errors and warnings of the console, and exceptions that nobody caught."""
        self.requests: list[str] = []
        """Addresses that were asked for."""

    def call(self, method: str, **params: Any) -> Any:
        """A command of the protocol, and its result."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, params), LONGEST))

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        self._number += 1
        number = self._number
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            text = await self._socket.read_message()
            assert text is not None, "the browser is gone"
            message = json.loads(text)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"][:500])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"][:200])

    def evaluate(self, script: str) -> Any:
        """The value of an expression, or of what it promises."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def open(self, path: Path, width: int, height: int, *, dark: bool = False) -> None:
        """Load a file as on a screen of that size, and wait until its figures can be drawn."""
        self.problems.clear()
        self.requests.clear()
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        live = "document.readyState === 'complete' && (!document.getElementById('payload') || "
        self.wait(f"{live}'ready' in document.documentElement.dataset)")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        until = time.monotonic() + LONGEST
        while not self.evaluate(condition):
            assert time.monotonic() < until, f"not within {LONGEST} s: {condition} ({self.problems})"
            time.sleep(0.05)

    def draw_all(self) -> None:
        """Scroll through the page until all figures are drawn."""
        self.evaluate("""(async () => {
          for (const place of document.querySelectorAll('.plot')) {
            place.scrollIntoView();
            for (let n = 0; n < 200 && !place.querySelector('.main-svg'); n++)
              await new Promise((done) => setTimeout(done, 20));
          }
          scrollTo(0, 0);
        })()""")

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A picture (PNG) of the page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def press(self, key: str) -> None:
        """A key, such as "Tab"."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=9)


@contextmanager
def browser() -> Iterator[Page]:
    """An empty page; the test is skipped where there is no browser."""
    program = found()
    if program is None:
        pytest.skip(f"needs a browser, one of {', '.join(NAMES)} (or SPIKEWRIGHT_BROWSER)")
    client = pytest.importorskip("tornado.websocket", reason="needs tornado to speak with the browser")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
        options += ["--disable-dev-shm-usage", f"--user-data-dir={folder}", "--force-color-profile=srgb", "about:blank"]
        with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            loop = asyncio.new_event_loop()
            try:
                port = _port(Path(folder) / "DevToolsActivePort", process)
                socket = loop.run_until_complete(_connect(client, port))
                page = Page(loop, socket)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    page.call(f"{domain}.enable")
                yield page
                socket.close()
            finally:
                process.terminate()
                loop.run_until_complete(asyncio.sleep(0))
                loop.close()


def _port(path: Path, process: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + LONGEST
    while not path.exists() or "\n" not in path.read_text():
        if process.poll() is not None or time.monotonic() > until:
            pytest.skip("needs a browser that starts")
        time.sleep(0.05)
    return int(path.read_text().split()[0])


async def _connect(client: Any, port: int) -> Any:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
        [target] = [item for item in json.load(answer) if item["type"] == "page"]
    return await client.websocket_connect(target["webSocketDebuggerUrl"], max_message_size=256 << 20)
