"""Networks of any architecture as arrays: everything walks over the graph of `theory.graph`."""

from __future__ import annotations

from numerics.graphs.model import AnyModel, GraphModel, NodeTrace, graph_model, tail
from numerics.graphs.tracing import node_trace
from numerics.graphs.walk import Walk, walk

__all__ = [
    "AnyModel",
    "GraphModel",
    "NodeTrace",
    "Walk",
    "graph_model",
    "node_trace",
    "tail",
    "walk",
]
