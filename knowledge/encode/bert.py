"""The forward pass of BERT and its kin (RoBERTa, XLM-RoBERTa) in onnxruntime, straight from safetensors.

One text is one run on one thread. So nothing is padded, a vector never depends on the texts it was batched
with, several texts run side by side, and no thread waits for another at each layer: two threads that meet at
every matrix product lose whole time slices (8 ms each) as soon as something else runs on the machine.

int8 quantises the weights once (per output channel) and the activations as they come (per text). Weights get
7 bits: without VNNI the AVX2 kernel adds pairs of products in 16 bits, which 8 bits overflow.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from knowledge.encode.folder import BertConfig
from knowledge.encode.weights import Tensors, as_float32
from knowledge.types import Matrix

Arithmetic: TypeAlias = Literal["float32", "int8"]

_WEIGHT_TOP = 63
_MICROSOFT = "com.microsoft"
"""Operators that onnxruntime adds to the ONNX standard."""
_SLOW_FUSIONS = ["SkipLayerNormFusion", "BiasSkipLayerNormFusion"]
"""An addition and a normalisation in one operator take 33 us for 14 tokens; one after the other 6 us."""


class Bert:
    """Token ids to one unit vector, or to one for each token; may be called from several threads at once.

    Args:
        weights: Of the network.
        config: Its shape.
        arithmetic: Of its matrix products.
        pooled: Whether one vector stands for the text.
        layers: The first that takes part, and the one behind the last; None: all.
    """

    def __init__(
        self,
        weights: Tensors,
        config: BertConfig,
        *,
        arithmetic: Arithmetic,
        pooled: bool = True,
        layers: tuple[int, int] | None = None,
    ) -> None:
        graph = _Graph(weights, config, arithmetic)
        self._session = _session(graph.model(range(*(layers or (0, config.layers))), pooled=pooled))
        self._words = weights.stored("embeddings.word_embeddings.weight")
        positions = weights.tensor("embeddings.position_embeddings.weight")[config.first_position :]
        kinds = "embeddings.token_type_embeddings.weight"
        self._positions = positions + weights.tensor(kinds)[0] if kinds in weights else positions

    @property
    def vocabulary(self) -> int:
        """Token ids the embeddings have rows for."""
        return len(self._words)

    def vector(self, ids: Sequence[int]) -> Matrix:
        """Pooled: L2-normalised, float32, shape (hidden,); else as the last layer leaves them, (tokens, hidden)."""
        words = as_float32(self._words[np.asarray(ids)])
        return self.above(words + self._positions[: len(ids)])

    def above(self, states: Matrix) -> Matrix:
        """As `vector`, from what the layers below the first give for each token; shape (tokens, hidden)."""
        (vectors,) = self._session.run(None, {"words": states[None]})
        return np.asarray(vectors[0], np.float32)


@functools.cache
def fastest_arithmetic() -> Arithmetic:
    """Time one layer's widest product in both arithmetics on this processor (a few milliseconds).

    Measured (multilingual-e5-small, one core of a 2-core AMD EPYC with AVX2, Zen 3, matrix products of a
    16-token text): onnxruntime int8 4.4 ms, onnxruntime float32 8.4 ms, torch int8 (fbgemm) 7.4 ms, torch
    float32 13.8 ms, onnxruntime 4-bit blocks 9.6 ms; torch bfloat16 is 100 times slower than float32 there.
    Right first, plain cosine, question against question: StackFAQ (en) float32 83.3 %, int8 83.5 %; bank (zh)
    float32 22.7 %, int8 22.5 %: equal within noise. The vectors of one text agree to a cosine of 0.997.
    """
    seconds = {arithmetic: _seconds_of_one_product(arithmetic) for arithmetic in ("float32", "int8")}
    return "int8" if seconds["int8"] < 0.9 * seconds["float32"] else "float32"


def _seconds_of_one_product(arithmetic: Any) -> float:
    rows, columns, tokens = 1536, 384, 16
    rng = np.random.default_rng(0)
    product = _Product(arithmetic)
    product.linear("words", rng.standard_normal((rows, columns)).astype(np.float32), into="vectors")
    session = _session(_model(product, columns, [1, tokens, rows]))
    words = rng.standard_normal((1, tokens, columns)).astype(np.float32)
    best = float("inf")
    for _ in range(15):
        start = time.perf_counter()
        session.run(None, {"words": words})
        best = min(best, time.perf_counter() - start)
    return best


class _Product:
    """Collects the nodes and constants of a graph."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.arithmetic = arithmetic

    def constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def apply(
        self, kind: str, inputs: Sequence[str], *, domain: str = "", into: str = "", **settings: Any
    ) -> str:
        out = into or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], domain=domain, **settings))
        return out

    def linear(self, source: str, weight: Matrix, bias: Matrix | None = None, *, into: str = "") -> str:
        """Source @ weight.T + bias, weight as torch keeps it: (outputs, inputs)."""
        if self.arithmetic == "int8":
            added = [] if bias is None else ["", self.constant(bias)]
            inputs = [source, *self.quantised(weight), *added]
            return self.apply("DynamicQuantizeMatMul", inputs, domain=_MICROSOFT, into=into)
        if bias is None:
            return self.apply("MatMul", [source, self.constant(weight.T)], into=into)
        return self.apply("Add", [self.linear(source, weight), self.constant(bias)], into=into)

    def quantised(self, weight: Matrix) -> list[str]:
        """Names of the rounded columns and of their scales."""
        columns = weight.T
        scale = np.maximum(np.abs(columns).max(axis=0), 1e-12).astype(np.float32) / _WEIGHT_TOP
        return [self.constant(np.round(columns / scale).astype(np.int8)), self.constant(scale)]


class _Graph(_Product):
    """The layers of the encoder."""

    def __init__(self, weights: Tensors, config: BertConfig, arithmetic: Arithmetic) -> None:
        super().__init__(arithmetic)
        self._weights = weights
        self._config = config

    def model(self, layers: range, *, pooled: bool) -> bytes:
        config, state = self._config, "words"
        if layers.start == 0:
            norm = [self._weight(f"embeddings.LayerNorm.{part}") for part in ("weight", "bias")]
            state = self.apply(
                "LayerNormalization", [state, *norm], axis=-1, epsilon=config.layer_norm_epsilon
            )
        for layer in layers:
            state = self._feed_forward(self._attention(state, f"encoder.layer.{layer}"), layer)
        if not pooled:
            self.apply("Identity", [state], into="vectors")
            return _model(self, config.hidden, [1, "tokens", config.hidden])
        if config.pooling == "cls":
            vector = self.apply("Gather", [state, self.constant(np.int64(0))], axis=1)
        else:
            vector = self.apply("ReduceMean", [state], axes=[1], keepdims=0)
        self.apply("LpNormalization", [vector], axis=-1, p=2, into="vectors")
        return _model(self, config.hidden, [1, config.hidden])

    def _attention(self, state: str, layer: str) -> str:
        parts = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
        tensor = self._weights.tensor
        weight = np.concatenate([tensor(f"{part}.weight") for part in parts])
        bias = self.constant(np.concatenate([tensor(f"{part}.bias") for part in parts]))
        heads = self._config.heads
        if self.arithmetic == "int8":
            context = self._quantised_attention(state, weight, bias)
        else:
            joined = self.linear(state, weight)
            split = [f"{joined}_{part}" for part in ("q", "k", "v")]
            thirds = self.constant(np.full(3, self._config.hidden, np.int64))
            self.nodes.append(helper.make_node("Split", [joined, thirds], split, axis=-1))
            context = self.apply("MultiHeadAttention", [*split, bias], domain=_MICROSOFT, num_heads=heads)
        return self._add_and_norm(context, state, f"{layer}.attention.output")

    def _quantised_attention(self, state: str, weight: Matrix, bias: str) -> str:
        """As a product, a split and an attention, in one operator (a seventh less time)."""
        rounded = [f"{state}_{part}" for part in ("int8", "scale", "zero")]
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [state], rounded))
        columns, scale = self.quantised(weight)
        zeros = self.constant(np.zeros(len(weight), np.int8))
        inputs = [rounded[0], columns, bias, rounded[1], scale, "", rounded[2], zeros]
        return self.apply("QAttention", inputs, domain=_MICROSOFT, num_heads=self._config.heads)

    def _feed_forward(self, state: str, layer: int) -> str:
        prefix = f"encoder.layer.{layer}"
        wide = self.linear(state, self._weights.tensor(f"{prefix}.intermediate.dense.weight"))
        bias = self._weight(f"{prefix}.intermediate.dense.bias")
        active = self.apply("BiasGelu", [wide, bias], domain=_MICROSOFT)
        return self._add_and_norm(active, state, f"{prefix}.output")

    def _add_and_norm(self, source: str, state: str, name: str) -> str:
        dense = f"{name}.dense"
        out = self.linear(
            source, self._weights.tensor(f"{dense}.weight"), self._weights.tensor(f"{dense}.bias")
        )
        scale, shift = (self._weight(f"{name}.LayerNorm.{part}") for part in ("weight", "bias"))
        summed = self.apply("Add", [out, state])
        epsilon = self._config.layer_norm_epsilon
        return self.apply("LayerNormalization", [summed, scale, shift], axis=-1, epsilon=epsilon)

    def _weight(self, name: str) -> str:
        return self.constant(self._weights.tensor(name))


def _model(graph: _Product, width: int, result: list[int | str]) -> bytes:
    words = helper.make_tensor_value_info("words", TensorProto.FLOAT, [1, "tokens", width])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, result)
    built = helper.make_graph(graph.nodes, "encoder", [words], [vectors], graph.constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
    serialised: bytes = helper.make_model(built, opset_imports=opsets, ir_version=9).SerializeToString()
    return serialised


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOW_FUSIONS
    )
