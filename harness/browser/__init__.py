"""Chromium, for the tests of pages: Debian's, or whichever is installed."""

from harness.browser.chromium import OPTIONS, chromium

__all__ = ["OPTIONS", "chromium"]
