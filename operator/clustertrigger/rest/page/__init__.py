"""The page: triggers for people, in a browser, with the reader's own token.

Server-rendered. Design record: docs/design/page.md.
"""
