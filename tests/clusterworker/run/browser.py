"""A real browser without a window, controlled by the DevTools protocol: Debian's Chromium, or any Chrome on PATH."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from harness.cluster.debian.packages import install_missing, require_debian
from harness.cluster.errors import ClusterError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
)
_PATIENCE = 60


def find_browser() -> str:
    """Returns the browser's program, which it installs on Debian as root if it is missing.

    Raises:
        ClusterError: there is no browser; the message gives the reason.
    """
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None and _MAC.exists():
        found = str(_MAC)
    if found is None:
        require_debian()
        install_missing({"chromium": "chromium"})
        found = shutil.which("chromium")
    if found is None:
        raise ClusterError("no browser: install Chromium or Chrome")
    return found


class Tab:
    """One page, and what the browser reports about it: console lines, exceptions, requests."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def open(self, file: Path, width: int = 1280, height: int = 900) -> None:
        """Loads a file, and waits until it is loaded."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        await self.call("Page.navigate", url=file.as_uri())
        await asyncio.wait_for(self._loaded.wait(), _PATIENCE)

    async def evaluate(self, expression: str) -> Any:
        """Returns the value of a JavaScript expression."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def point_at(self, x: float, y: float) -> None:
        """Moves the mouse."""
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def screenshot(self, file: Path) -> bytes:
        """Returns the whole page as a PNG, including what is below the window."""
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        png = base64.b64decode(answer["data"])
        await asyncio.to_thread(file.write_bytes, png)
        return png

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends one command of the protocol."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(self._answers[number], _PATIENCE)

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if "error" in told:
                    answer.set_exception(AssertionError(told["error"]))
                else:
                    answer.set_result(told["result"])
            else:
                self._heed(told["method"], told["params"])

    def _heed(self, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(f"{told['entry']['level']}: {told['entry']['text']}")
            case "Runtime.consoleAPICalled":
                self.complaints.append(f"console.{told['type']}: {told['args']}")


@asynccontextmanager
async def tab(profile: Path) -> AsyncIterator[Tab]:
    """Starts a browser with an empty profile, and ends it afterwards."""
    flags = [*_FLAGS, f"--user-data-dir={profile}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses its sandbox to root
    with profile.with_suffix(".log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(find_browser(), *flags, "about:blank", stdout=log, stderr=log)
        try:
            port = await _port(profile, process)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                pages = await (await session.get("/json/list")).json()
                address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    yield Tab(socket)
        finally:
            process.terminate()
            await process.wait()


async def _port(profile: Path, process: asyncio.subprocess.Process) -> str:
    """Returns the port that the browser has chosen, which it writes into its profile."""
    file = profile / "DevToolsActivePort"
    for _ in range(_PATIENCE * 10):
        if file.exists() and (lines := file.read_text().split()):
            return lines[0]
        assert process.returncode is None, f"the browser ended: {profile.with_suffix('.log').read_text()[-2000:]}"
        await asyncio.sleep(0.1)
    raise AssertionError(f"the browser did not start: {profile.with_suffix('.log').read_text()[-2000:]}")
