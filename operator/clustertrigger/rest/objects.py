"""The type of objects that the API reads from the Kubernetes API server and changes."""

from typing import Any

Object = dict[str, Any]
