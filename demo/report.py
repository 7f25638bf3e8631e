# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: numbered steps with their duration, progress on a terminal, or JSON.

Colours and the moving progress bar appear only on a terminal, and colours not at all when NO_COLOR
is set. With JSON, each finished step is one object on a line of its own, and nothing else appears.
"""

import json
import os
import shutil
import sys
import time
from contextlib import contextmanager

BOLD, DIM, RED, GREEN, CYAN = "1", "2", "31", "32", "36"


def duration(seconds):
    """A duration for people: 3.2 ms, 840 ms, 2.41 s."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s"


class CheckFailed(Exception):
    """A check of the current step did not hold; the step goes no further."""


class Step:
    """One step while it runs: collects notes and checks, shows progress."""

    def __init__(self, report, number, title):
        self._report, self.number, self.title = report, number, title
        self.notes, self.checks, self.error = [], 0, None
        self.begin = time.monotonic()
        self.seconds = 0.0

    def note(self, text):
        """A line shown under the step when it is done."""
        self.notes.append(text)

    def check(self, what, holds, detail=""):
        """Counts a check that holds and ends the step on one that does not."""
        if not holds:
            raise CheckFailed(f"{what}{': ' + str(detail) if detail else ''}")
        self.checks += 1

    def progress(self, done, total, what=""):
        """Redraws the bar of this step (on a terminal only)."""
        self._report.draw_progress(self, done, total, what)


class Report:
    """Prints steps as they finish and a summary at the end."""

    def __init__(self, as_json=False, out=None):
        self.out = out or sys.stdout
        self.as_json = as_json
        self.tty = self.out.isatty() and not as_json
        self.colours = self.tty and not os.environ.get("NO_COLOR")
        unicode = "utf" in (getattr(self.out, "encoding", "") or "").lower()
        self.marks = ("✓", "✗", "█", "·") if unicode else ("ok", "FAILED", "#", ".")
        self.steps = []
        self.begin = time.monotonic()

    def paint(self, text, colour):
        """`text` in a colour, when colours are on."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colours else text

    def line(self, text=""):
        """A line for people; nothing with JSON."""
        if not self.as_json:
            print(text, file=self.out, flush=True)

    def _object(self, **fields):
        if self.as_json:
            print(json.dumps(fields, ensure_ascii=False), file=self.out, flush=True)

    def _erase(self):
        if self.tty:
            self.out.write("\r\x1b[K")

    def draw_progress(self, step, done, total, what):
        """A bar in place of the step's line, until the step is done."""
        if not self.tty:
            return
        width = max(10, min(30, shutil.get_terminal_size().columns - 60))
        filled = width * done // max(total, 1)
        bar = self.marks[2] * filled + self.marks[3] * (width - filled)
        self._erase()
        self.out.write(f"{step.number:3}  {step.title:<44.44} {bar} {done}/{total} {what}")
        self.out.flush()

    @contextmanager
    def step(self, title):
        """Runs the body as one step; an exception marks it failed and goes on to the caller."""
        step = Step(self, len(self.steps) + 1, title)
        self.steps.append(step)
        self._show_running(step)
        try:
            yield step
        except BaseException as error:
            step.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            step.seconds = time.monotonic() - step.begin
            self._show_finished(step)

    def _show_running(self, step):
        if self.tty:
            self.out.write(f"{step.number:3}  {step.title:<44.44} ...")
            self.out.flush()

    def _show_finished(self, step):
        ok = step.error is None
        self._object(step=step.number, title=step.title, ok=ok, seconds=round(step.seconds, 6),
                     checks=step.checks, notes=step.notes, error=step.error)
        self._erase()
        mark = self.paint(self.marks[0], GREEN) if ok else self.paint(self.marks[1], RED)
        took = self.paint(f"{duration(step.seconds):>9}", CYAN)
        self.line(f"{step.number:3}  {step.title:<60.60} {took}  {mark}")
        for note in step.notes:
            self.line(f"     {self.paint(note, DIM)}")
        if not ok:
            self.line(f"     {self.paint(step.error, RED)}")

    @property
    def failed(self):
        """The number of failed steps."""
        return sum(step.error is not None for step in self.steps)

    def summary(self, ok, **fields):
        """The closing line: steps, checks, time. `ok` says that the whole run went through."""
        seconds = time.monotonic() - self.begin
        checks = sum(step.checks for step in self.steps)
        done = len(self.steps) - self.failed
        self._object(summary=True, ok=ok, steps=done, failed=self.failed,
                     checks=checks, seconds=round(seconds, 3), **fields)
        verdict = self.paint("all answers agree", GREEN) if ok else \
            self.paint(f"{self.failed} failed" if self.failed else "not finished", RED)
        self.line()
        self.line(f"{self.paint('Summary', BOLD)}: {done} steps, {checks} checks in "
                  f"{duration(seconds)}: {verdict}")
