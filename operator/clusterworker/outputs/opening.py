"""Opens the outputs of a RunSpec."""

from collections.abc import Sequence
from pathlib import Path

from clustercontract.output import OutputInput
from clusterworker.outputs.table import Output
from clusterworker.process.secret import SecretFiles


def open_outputs(outputs: Sequence[OutputInput], scratch: Path, secrets: Path) -> list[Output]:
    """Returns the outputs, in order; `Output.check` verifies that they can be written.

    Args:
        outputs: The outputs in the RunSpec.
        scratch: Directory for temporary files.
        secrets: Directory with one directory per mounted Secret.
    """
    return [_open(output, scratch, secrets) for output in outputs]


def _open(output: OutputInput, scratch: Path, secrets: Path) -> Output:
    """Imports only the client that the collection needs."""
    secret = SecretFiles(output.write.secret_name, secrets)
    if output.source.type == "postgresql":
        from clusterworker.outputs.postgresql import PostgresOutput

        return PostgresOutput(output, secret)
    if output.source.type == "qdrant":
        from clusterworker.outputs.qdrant import QdrantOutput

        return QdrantOutput(output, secret)
    from clusterworker.outputs.parquet import ParquetOutput

    return ParquetOutput(output, scratch, secrets)
