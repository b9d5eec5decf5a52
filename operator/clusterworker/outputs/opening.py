"""Opens the outputs of a RunSpec."""

from collections.abc import Sequence
from pathlib import Path

from clustercontract.output import OutputInput
from clusterworker.outputs.table import Output
from clusterworker.process.secret import SecretFiles


def open_outputs(given: Sequence[OutputInput], scratch: Path, secrets: Path) -> list[Output]:
    """Returns the outputs, in order; `Output.check` verifies that they can be written.

    Args:
        given: The outputs in the RunSpec.
        scratch: Directory for temporary files.
        secrets: Directory with one directory per mounted Secret.
    """
    return [_open(output, scratch, secrets) for output in given]


def _open(given: OutputInput, scratch: Path, secrets: Path) -> Output:
    """Imports only the client that the collection needs."""
    secret = SecretFiles(given.write.secret_name, secrets)
    if given.source.type == "postgresql":
        from clusterworker.outputs.postgresql import PostgresOutput

        return PostgresOutput(given, secret)
    if given.source.type == "qdrant":
        from clusterworker.outputs.qdrant import QdrantOutput

        return QdrantOutput(given, secret)
    from clusterworker.outputs.parquet import ParquetOutput

    return ParquetOutput(given, scratch, secrets)
