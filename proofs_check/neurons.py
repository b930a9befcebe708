"""Every neuron of every layer held against B5, on networks with numbers in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import chain

import jax.numpy as jnp

import numerics
from numerics.models import Model
from numerics.spectral import SpectralNorm
from numerics.tolerances import Numbers
from theory.catalog import catalog
from theory.evaluation import evaluate
from theory.lemmas import vector_variable
from theory.lemmas.networks import TARGET
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.terms import Term, dot, norm, substitute, transpose
from theory.vocabulary import (
    INPUT,
    POINT,
    activation,
    curvature,
    layer,
    lipschitz,
    recursive_definition,
    symbol,
    transfer,
    weights,
    width,
)


@dataclass(frozen=True)
class NeuronReport:
    """One neuron's Hessian norm and its bound by B5.

    Attributes:
        layer: l, the layer of the neuron, counted from 1.
        index: its place in the layer, counted from 0.
        hessian: the norm of the Hessian of z_k^l by all parameters, enclosed.
        bound: the right side of B5.
    """

    layer: int
    index: int
    hessian: SpectralNorm
    bound: float


def below(model: Model, which: int, index: int) -> Model:
    """A neuron of layer l >= 2 as a network of its own: its weights are a trained readout.

    ``z_k^l = W_k^l . alpha^{l-1} / sqrt(m_{l-1})`` depends on nothing else, and the other rows of
    W^l add zeros to its Hessian.

    Args:
        model: a dense network.
        which: l, from 2 to the depth.
        index: k, counted from 0.

    Raises:
        ValueError: there is no such neuron.
    """
    depth = len(model.params["W"])
    if not 2 <= which <= depth or not 0 <= index < model.widths[which]:
        msg = (
            f"no neuron {index} of layer {which} with layers below it; layers 2 to {depth}, "
            "neurons from 0 on"
        )
        raise ValueError(msg)
    sizes, functions = model.widths, model.net.activations[: which - 1]
    hidden = chain.from_iterable(
        (Dense(m), Activation(f)) for m, f in zip(sizes[1:which], functions, strict=True)
    )
    net = Network(Input(sizes[0]), *hidden, Readout(trainable=True))
    readout = jnp.asarray(model.params["W"][which - 1])[index]
    params = {"W": tuple(model.params["W"][: which - 1]), "v": readout}
    return replace(model, net=net, params=params, readout=readout)


def measure_neuron(model: Model, which: int, index: int, x: Numbers) -> NeuronReport:
    """The Hessian norm of one pre-activation against B5.

    Args:
        model: a dense network.
        which: its layer l >= 2; in layer 1 pre-activations are linear in the weights.
        index: its place k in the layer, counted from 0.
        x: one input, shape (d,).

    Raises:
        ValueError: there is no such neuron.
    """
    small = below(model, which, index)
    statistics = numerics.measure(small, x, hessian=False)
    values: dict[Term, float] = {norm(_covector(which - 1)): 1.0}
    definitions: dict[Term, Term] = {}
    for key, value in statistics.items():
        if isinstance(key, tuple):
            values |= _values(key[0], int(key[1]), float(value), statistics, which - 1)
    for number in range(which):
        size = symbol("J", number, POINT, INPUT)
        definitions[size] = recursive_definition("J", number, POINT, INPUT)
    bound = float(evaluate(_right_side(which - 1), values, definitions))
    return NeuronReport(which, index, numerics.hessian_norm(small, x), bound)


@cache
def _right_side(n: int) -> Term:
    return substitute(catalog["LZB22/B5"].statement.args[1], {TARGET: n})


def _covector(n: int) -> Term:
    return vector_variable("c", layer(n + 1))


def _values(name: str, number: int, value: float, measured: object, n: int) -> dict[Term, float]:
    """What a layer statistic of the neuron as a network says of the terms of B5."""
    table = dict(measured)  # type: ignore[call-overload]
    signal = dot(transpose(transfer(n + 1, number, POINT, INPUT)), _covector(n))
    match name:
        case "m":
            return {width(number): value}
        case "lambda":
            return {lipschitz(number): value}
        case "beta":
            return {curvature(number): value}
        case "s":
            return {norm(weights(number, POINT)): value * float(table["m", number - 1]) ** 0.5}
        case "a":
            size = value * float(table["m", number]) ** 0.5
            return {norm(activation(number, POINT, INPUT)): size}
        case "g":
            return {norm(signal): value}
        case "q":
            return {norm(signal, "inf"): value}
    return {}


__all__ = ["NeuronReport", "below", "measure_neuron"]
