"""A headless Chromium, driven through a pipe by the DevTools protocol: no driver, no port, no library."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """The program, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page. What it asked the network for is in `requests`, other than the page itself."""

    def __init__(self, writing: int, reading: int) -> None:
        self._writing, self._reading = writing, reading
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer; events that come meanwhile are kept."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            block = os.read(self._reading, 1 << 20)
            assert block, "the browser has ended"
            self._rest += block
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, page: Path, width: int, *, height: int = 900, is_dark: bool = False) -> None:
        """Show a file at a width of so many pixels, and wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    @property
    def requests(self) -> list[str]:
        """What was asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    @property
    def complaints(self) -> list[str]:
        """What the browser wrote to its console, such as what its policy forbade."""
        return [
            event["params"]["entry"]["text"]
            for event in self.events
            if event.get("method") == "Log.entryAdded"
        ]

    def run(self, script: str) -> Any:
        """The value of an expression in the page; the tester may run scripts where the page may not."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key, which may write something, and let it go."""
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    def photograph(self, file: Path, *, selector: str | None = None) -> None:
        """A picture of the whole page, or of one element."""
        element = f"document.querySelector({json.dumps(selector or 'html')})"
        clip = self.run(
            f"(() => {{ const e = {element};"
            "const r = e.getBoundingClientRect();"
            "return {x: r.x + scrollX, y: r.y + scrollY, width: r.width, height: r.height, scale: 1}; })()"
        )
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)[
            "data"
        ]
        file.write_bytes(base64.b64decode(data))


_AS_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def _high(descriptor: int) -> int:
    """The same open file under a number from 10 on."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    return moved


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended afterwards."""
    program = find_chromium()
    assert program
    # It reads from 3 and writes to 4; whoever puts them there must not find one in the place of the other.
    (theirs_to_read, ours_to_write), (ours_to_read, theirs_to_write) = os.pipe(), os.pipe()
    theirs_to_read, theirs_to_write = _high(theirs_to_read), _high(theirs_to_write)
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", _AS_3_AND_4, str(theirs_to_read), str(theirs_to_write)),
            *(program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
            *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"),
            *(
                "--disable-background-networking",
                "--disable-component-update",
                "--hide-scrollbars",
                "about:blank",
            ),
        ],
        pass_fds=(theirs_to_read, theirs_to_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_to_read)
    os.close(theirs_to_write)
    try:
        yield Browser(ours_to_write, ours_to_read)
    finally:
        with suppress(Exception):
            # So that its helpers end too, and nobody writes to the profile any more.
            os.write(ours_to_write, b'{"id": 0, "method": "Browser.close"}\0')
            process.wait(timeout=10)
        process.kill()
        process.wait()
        os.close(ours_to_read)
        os.close(ours_to_write)
