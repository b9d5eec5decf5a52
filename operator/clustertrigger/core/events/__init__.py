"""CloudEvents: what they say, whom they concern, and which have been counted."""
