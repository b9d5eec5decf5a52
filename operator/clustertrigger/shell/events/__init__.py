"""CloudEvents in: who sends them, what they say, and the count that is stored before they are acknowledged."""
