"""Chromium for the tests of pages: Debian's, or any installed one."""

from harness.browser.chromium import OPTIONS, chromium

__all__ = ["OPTIONS", "chromium"]
