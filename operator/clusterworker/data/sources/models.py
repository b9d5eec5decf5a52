"""Compares the names of embedding models. A name can consist of several, such as a provider and its model."""

from collections.abc import Iterable, Sequence

from clusterworker.data.sources.collection import Collection

_BETWEEN = " / "


def joined(names: Iterable[str]) -> str:
    """Returns one name for a model that a source gives several names; "" without names."""
    return _BETWEEN.join(dict.fromkeys(name for name in names if name))


def are_different(one: str, other: str) -> bool:
    """Returns whether two names are of different models.

    They are the same if one has all names of the other, because a source need not give all of them. An unknown model,
    "", can be any.
    """
    names, others = _names(one), _names(other)
    return bool(one and other) and not (names <= others or others <= names)


def embedding_model(collections: Sequence[Collection]) -> str:
    """Returns the name of the embedding model of collections that do not contradict each other, "" if none names it.

    It is the one that consists of the most names.
    """
    models = (collection.embedding_model for collection in collections)
    return max(models, key=lambda model: len(_names(model)), default="")


def of_model_other_than(model: str, collections: Sequence[Collection]) -> Collection | None:
    """Returns the first collection that names another embedding model; None if there is none."""
    return next((one for one in collections if are_different(one.embedding_model, model)), None)


def _names(model: str) -> set[str]:
    return set(model.split(_BETWEEN)) if model else set()
