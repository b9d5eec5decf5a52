"""Provides TLS, sockets, asyncio's loose ends and the heap's limit for the operator, the HTTP API and the command.

It needs no other libraries.
"""
