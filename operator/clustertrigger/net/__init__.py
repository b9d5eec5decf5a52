"""Provides TLS, listening sockets and asyncio's loose ends for the operator, the HTTP API and the command.

It needs no other libraries.
"""
