"""Lemmas about random weights of graphs, tried on many draws: failures against what they claim.

Each draw is a graph with numbers in it, measured by :mod:`proofs_check.measuring`, which takes
derivatives by JAX; the graphs are small.  The test is that of :mod:`proofs_check.chance`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from proofs_check.chance import Trials
from proofs_check.measuring.evaluate import Comparison, evaluate, measure
from proofs_check.measuring.graph_environment import GraphEnvironment, architecture
from proofs_check.measuring.graph_models import GraphModel, draw
from theory.derive.graph_bench import code_of
from theory.graph import BilinearRule, Graph
from theory.graph_constants import drawn_laws, is_full
from theory.graph_terms import parse
from theory.lemmas import INPUT_X, schema
from theory.networks import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    Input,
    Network,
    Neurons,
    Readout,
    Residual,
)
from theory.terms import Term, make, substitute
from theory.vocabulary import INPUT

DRAWS = 150
DELTA = 0.5
TANH = Activation("tanh")
GRAPHS = {
    "convolution": Network(
        Input((2, 4)), Conv(3, 3), TANH, Conv(2, 3), TANH, AveragePool(), Readout(trainable=True)
    ),
    "residual, signs": Network(
        Input(3), Dense(5), TANH, Residual(Dense(5), TANH), Readout(init="sign")
    ),
    "neurons": Network(
        Input(3),
        Neurons((((0, 1), (1, 2), (0, 1, 2), (2,)), ((0, 3, 4), (3, 4, 5, 6), (5,))), "sin"),
        Readout(trainable=True),
    ),
}


@lru_cache(maxsize=4)
def draws(name: str) -> tuple[GraphEnvironment, ...]:
    """Independent draws of the weights of a graph, at one input."""
    graph = GRAPHS[name].graph
    x = np.linspace(-1.0, 1.5, int(graph.sizes[0]))
    return tuple(environment(graph, seed, x) for seed in range(DRAWS))


def environment(graph: Graph, seed: int, x: np.ndarray) -> GraphEnvironment:
    """One draw, as the centre theta0 and the input x."""
    found = draw(graph, seed)
    model = GraphModel(architecture(graph), found.params, found.fixed, seed)
    return GraphEnvironment(
        model,  # type: ignore[arg-type]
        points={"theta0": found.params},  # type: ignore[dict-item]
        inputs={"x": x},
        reals={"failure": DELTA},
    )


def trials(formula: Term, tried: Sequence[GraphEnvironment]) -> Trials:
    """How often ``likely(p, F)`` fails, beside p."""
    p, inner = formula.args
    results = [evaluate(inner, env) for env in tried]
    failed = sum(isinstance(r, Comparison) and not r.holds for r in results)
    return Trials(failed, len(results), measure(p, tried[0]).value)


def instances(lemma: str, graph: Graph) -> Iterator[Term]:
    """The lemma's conclusion at every node that it fits, for the whole of delta."""
    code, laws = code_of(graph), drawn_laws(graph)
    last = parse(code).last
    choices: list[tuple[int | str, ...]] = []
    for node, law in laws.items():
        rule, trained = graph.nodes[node].rule, node in graph.weighted
        if lemma == "output_series":
            choices += [(law,)] if node == last else []
        elif trained and lemma == "node_norm_likely":
            choices += [(node,)] if isinstance(rule, BilinearRule) and is_full(rule) else []
        elif trained:
            choices.append((node, law))
    for choice in choices:
        conclusion = schema(lemma, (code, *choice, 1, 1)).conclusion
        yield substitute(conclusion, {INPUT_X: INPUT})


def sharpened(formula: Term, factor: Term) -> Term:
    """The same with a multiple of the right side."""
    p, inner = formula.args
    left, right = inner.args
    return make("likely", p, make("le", left, make("mul", factor, right)))


__all__ = ["GRAPHS", "draws", "instances", "sharpened", "trials"]
