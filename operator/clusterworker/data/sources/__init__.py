"""Reads vectors from all kinds of sources, through one interface, batch by batch in bounded memory."""
