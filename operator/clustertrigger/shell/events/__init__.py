"""Receives CloudEvents: authenticates senders, parses events, and stores the count before it acknowledges them."""
