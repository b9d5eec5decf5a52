"""TLS and listening sockets, as the operator, the HTTP API and the command need them: the standard library alone."""
