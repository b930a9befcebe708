"""Networks as descriptions: layers and their widths, no arrays.

``Network(Input(64), Dense(m), Activation("tanh"), Readout())`` stands for the function

    z^l = W^l alpha^{l-1} / sqrt(m_{l-1}),   alpha^l = sigma_l(z^l),   alpha^0 = x,
    f = v . alpha^L / sqrt(m_L),

the neural-tangent parameterization without biases (theory.md, section 1), in which the entries of
W^l are independent N(0, 1) and those of v are N(0, 1) or uniform signs.  Besides there are
convolutions and pooling, residual and densely connected blocks, dropout masks, directed acyclic
graphs of layers and of neurons, and non-linear outputs.  A width is a number, a symbol made by
``width``, or a power of one.  A description that makes no sense is refused when it is built.

Every layer is one class with its local rules (:class:`Layer`); ``Network.graph`` puts them
together (:mod:`theory.graph`).
"""

from __future__ import annotations

from theory.networks.base import Builder, Layer, NetworkError, Width, width
from theory.networks.basic import Activation, Dense, DenseRule, Input, Output, Readout
from theory.networks.convolution import AveragePool, Conv, Flatten
from theory.networks.dags import DAG, Neurons, RandomNeurons, Vertex
from theory.networks.network import Network
from theory.networks.structure import Chain, Concatenate, DenseBlock, Dropout, Residual

__all__ = [
    "DAG",
    "Activation",
    "AveragePool",
    "Builder",
    "Chain",
    "Concatenate",
    "Conv",
    "Dense",
    "DenseBlock",
    "DenseRule",
    "Dropout",
    "Flatten",
    "Input",
    "Layer",
    "Network",
    "NetworkError",
    "Neurons",
    "Output",
    "RandomNeurons",
    "Readout",
    "Residual",
    "Vertex",
    "Width",
    "width",
]
