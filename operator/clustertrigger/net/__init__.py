"""Provides TLS and listening sockets for the operator, the HTTP API and the command, without other libraries."""
