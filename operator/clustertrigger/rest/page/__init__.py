"""Serves the page: triggers in a browser, with the reader's own token, rendered on the server.

Design record: docs/design/page.md.
"""
