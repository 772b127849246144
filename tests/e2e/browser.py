"""Chromium without a window, asked over WebDriver."""
import base64
import json
import shutil
import signal
import subprocess
import tempfile
import time
import sys
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from ports import free_port             # noqa: E402

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--window-size=1000,900")


class Browser:
    """A fresh one, for a with statement."""

    def __init__(self):
        self.port = free_port()
        self.profile = tempfile.mkdtemp(prefix="oobd-chromium-")
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}", "--silent"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self.session = None

    def __enter__(self):
        try:
            self._wait()
            options = {"binary": shutil.which("chromium"),
                       "args": [*FLAGS, f"--user-data-dir={self.profile}"]}
            self.session = self._ask("/session", {
                "capabilities": {"alwaysMatch": {
                    "goog:chromeOptions": options,
                    "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.session:
            self._ask(f"/session/{self.session}", method="DELETE")
        self.driver.send_signal(signal.SIGTERM)
        self.driver.wait(10)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                return self._ask("/status")
            except OSError:
                time.sleep(0.1)
        raise AssertionError("chromedriver does not answer")

    def _ask(self, path, data=None, method=None):
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, method=method,
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, path):
        self._ask(f"/session/{self.session}/url", {"url": path.as_uri()})

    def run(self, script, *args):
        """The value of a function body, awaited."""
        return self._ask(f"/session/{self.session}/execute/sync",
                         {"script": script, "args": list(args)})

    def errors(self):
        """What the page complained of."""
        return [e["message"] for e in
                self._ask(f"/session/{self.session}/se/log",
                          {"type": "browser"}) if e["level"] == "SEVERE"]

    def picture(self, path):
        path.write_bytes(base64.b64decode(
            self._ask(f"/session/{self.session}/screenshot")))
