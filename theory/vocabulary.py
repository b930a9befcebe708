"""The vocabulary: every quantity that a proof, a page or a measurement speaks of, named once.

The functions build the kernel terms; :data:`QUANTITIES` says what each name means, how it is
printed and how it is normalised.  Proofs, LaTeX and measurement all read it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from theory.terms import (
    PARAMS,
    SCALAR,
    ZERO,
    Arg,
    Term,
    add,
    dot,
    inv_root,
    make,
    mul,
    norm,
    power,
    rat,
    shift,
    tensor,
)


@dataclass(frozen=True)
class Quantity:
    """One quantity of the theory.

    Attributes:
        name: its name in terms, in measurements and in files.
        latex: its symbol, ``{}`` standing for the layer index where it has one.
        meaning: what it is, in words.
        normalisation: its shape or normalisation.
        sign: ``positive``, ``non-negative``, or ``signed``.
    """

    name: str
    latex: str
    meaning: str
    normalisation: str
    sign: str = "non-negative"


def named_once(*quantities: Quantity) -> dict[str, Quantity]:
    """The quantities by name.

    Raises:
        ValueError: two of them have one name, so that a page or a measurement would mix them up.
    """
    found: dict[str, Quantity] = {}
    for quantity in quantities:
        if quantity.name in found:
            both = f"{found[quantity.name].meaning!r} and {quantity.meaning!r}"
            msg = f"the name {quantity.name!r} stands for {both}; give one of them another name"
            raise ValueError(msg)
        found[quantity.name] = quantity
    return found


QUANTITIES: dict[str, Quantity] = named_once(
    Quantity(
        "m", "m_{{{}}}", "width of layer l; m_0 is the input dimension", "integer", "positive"
    ),
    Quantity("theta", r"\theta", "all trainable parameters", "(p,)", "signed"),
    Quantity(
        "R",
        "R",
        "radius of the ball of parameters around the centre",
        "Euclidean norm over all trainable parameters",
    ),
    Quantity(
        "W", "W^{{{}}}", "weights of layer l", "(m_l, m_{l-1}), N(0, 1) at the start", "signed"
    ),
    Quantity("v", "v", "weights of the linear readout", "(m_L,), N(0, 1) or +-1", "signed"),
    Quantity(
        "alpha",
        r"\alpha^{{{}}}",
        "activations of layer l; layer 0 is the input",
        "(m_l,)",
        "signed",
    ),
    Quantity(
        "z",
        "z^{{{}}}",
        "pre-activations of layer l, W alpha / sqrt(m_{l-1})",
        "(m_l,)",
        "signed",
    ),
    Quantity(
        "delta",
        r"\delta^{{{}}}",
        "back-propagated signal, the derivative of f by alpha",
        "(m_l,)",
        "signed",
    ),
    Quantity("f", "f", "output of the network", "scalar", "signed"),
    Quantity("s", "s_{{{}}}", "weight norm of layer l", "spectral norm of W over sqrt(m_{l-1})"),
    Quantity(
        "a", "a_{{{}}}", "activation scale of layer l", "Euclidean norm of alpha over sqrt(m_l)"
    ),
    Quantity("g", "g_{{{}}}", "back-propagated norm of layer l", "Euclidean norm of delta"),
    Quantity("q", "q_{{{}}}", "back-propagated maximum of layer l", "maximum norm of delta"),
    Quantity(
        "r",
        "r_{{{}}}",
        "weight norm of layer l behind the slopes of layer l-1",
        "spectral norm of W diag(sigma'(z^{l-1})) over sqrt(m_{l-1}), from l = 2 on",
    ),
    Quantity(
        "h",
        "h_{{{}}}",
        "back-propagated norm of layer l through its slopes",
        "Euclidean norm of diag(sigma'(z)) delta",
    ),
    Quantity(
        "c",
        "c_{{{}}}",
        "curvature of layer l as the output sees it",
        "maximum norm of diag(sigma''(z)) delta",
    ),
    *(
        Quantity(
            f"d{by}",
            rf"\partial_{{{{{symbol}}}}}\alpha^{{{{{{}}}}}}",
            f"{what} of layer l by {by_what}",
            shape,
            "signed",
        )
        for by, symbol, what, by_what, shape in (
            ("w", "w", "derivative", "its own weights", "(m_l, p)"),
            ("a", r"\alpha", "derivative", "its input", "(m_l, m_{l-1})"),
            ("ww", "ww", "second derivative", "its own weights", "a three-tensor"),
            (
                "wa",
                r"w\alpha",
                "second derivative",
                "its own weights and its input",
                "a three-tensor",
            ),
            ("aa", r"\alpha\alpha", "second derivative", "its input", "a three-tensor"),
        )
    ),
    Quantity("F", "F", "outputs on the training set", "one entry for each sample", "signed"),
    Quantity("labels", "y", "labels of the training set", "one entry for each sample", "signed"),
    Quantity("loss", r"\mathcal L", "square loss, |F - y|^2/2", "scalar"),
    Quantity("residual", r"\lVert F-y\rVert", "norm of the residual", "Euclidean norm"),
    Quantity("distance", r"\lVert\theta-\theta_0\rVert", "distance moved", "Euclidean norm"),
    Quantity("step_size", r"\eta", "step size of gradient descent", "a number"),
    Quantity("mu", r"\mu", "lower bound on the least eigenvalue of K over the ball", "a number"),
    Quantity("mu_inverse", r"\mu^{{-1}}", "the inverse of mu", "a number"),
    Quantity("rate", r"\kappa", "contraction of the loss in one step, 1 - eta mu", "a number"),
    Quantity(
        "rate_power", r"\kappa^{{{}}}", "contraction of the loss in so many steps", "a number"
    ),
    Quantity("slope_sup", r"\Gamma", "bound on the Jacobian of F over the ball", "spectral norm"),
    Quantity("slope_inverse", r"\Gamma^{{-1}}", "the inverse of Gamma", "a number"),
    Quantity(
        "bend_sup",
        "B",
        "bound on the Hessians of the outputs, weighted with the residuals, over the ball",
        "spectral norm",
    ),
    Quantity("smoothness", r"\beta", "bound on the Hessian of the loss", "spectral norm"),
    Quantity(
        "lipschitz",
        r"\lambda",
        "Lipschitz constant of all layers in their inputs, at the point",
        "largest spectral norm",
    ),
    Quantity("S", "S_{{{}}}", "sum of the first l powers of the Lipschitz constant", "a number"),
    Quantity(
        "Q_inf", r"Q_{{\infty}}", "largest entry of any back-propagated signal", "maximum norm"
    ),
    Quantity("Q_L", "Q_{{L}}", "largest derivative of a layer by its own weights", "spectral norm"),
    Quantity(
        "Q_221",
        "Q_{{2,2,1}}",
        "largest product of a second derivative and the derivatives that it meets",
        "norm (2,2,1) of the second derivative",
    ),
    *(
        Quantity(
            f"{name}_hat", symbol, f"{of}, at most: by the statistics of the layers", "as above"
        )
        for name, symbol, of in (
            ("lipschitz", r"\hat\lambda", "Lipschitz constant of all layers"),
            ("S", r"\hat S_{{{}}}", "sum of its first l powers"),
            ("Q_inf", r"\hat Q_{{\infty}}", "largest entry of any signal"),
            ("Q_L", r"\hat Q_{{L}}", "largest derivative by own weights"),
            ("Q_221", r"\hat Q_{{2,2,1}}", "largest product with a second derivative"),
            ("C_1", r"\hat C_1", "constant of the curvature"),
            ("C_2", r"\hat C_2", "constant of the readout"),
        )
    ),
    Quantity("C_1", "C_1", "constant of the curvature of the layers", "a number"),
    Quantity("C_2", "C_2", "constant of the trained readout", "a number"),
    Quantity(
        "t",
        "t_{{{}}}",
        "weights of layer l between the slopes below and the curvature of its neurons",
        "spectral norm of diag(sigma''(z) delta) W diag(sigma'(z^{l-1})) over sqrt(m_{l-1}), "
        "from l = 2 on",
    ),
    Quantity(
        "y",
        "y_{{{}}}",
        "curvature of layer l as a function of the pre-activations of layer l-1",
        "spectral norm of X' diag(sigma''(z) delta) X over m_{l-1}, from l = 2 on, for "
        "X = W diag(sigma'(z^{l-1}))",
    ),
    Quantity(
        "e",
        "e_{{{}}}",
        "weights of layer l, each neuron weighted by the signal it gets",
        "spectral norm of diag(delta) W over sqrt(m_{l-1}), from l = 2 on",
    ),
    Quantity(
        "p",
        "p_{{{}}}",
        "largest column of the weights of layer l, neurons weighted by the signal they get",
        "largest Euclidean norm of a column of diag(delta) W over sqrt(m_{l-1}), from l = 2 on",
    ),
    Quantity(
        "u",
        "u_{{{}}}",
        "largest column of the weights of layer l",
        "largest Euclidean norm of a column of W over sqrt(m_{l-1})",
    ),
    Quantity(
        "N",
        "N_{{{}}}",
        "Jacobian of alpha^l by z^k, measured whole",
        "spectral norm; layers l and k, l at least k",
    ),
    Quantity(
        "C",
        "C_{{{}}}",
        "second derivative of the output by z^l, carried to z^k, measured whole",
        "spectral norm of B' S, S = d^2 f/(dz^l)^2, B = dz^l/dz^k; layers k and l, k at most l",
    ),
    Quantity(
        "n",
        "n_{{{}}}",
        "Jacobian of z^l by z^k, measured whole",
        "spectral norm; layers l and k, l above k",
    ),
    Quantity(
        "w",
        "w_{{{}}}",
        "largest row of the Jacobian of z^l by z^k",
        "largest Euclidean norm of a row; layers l and k, l above k",
    ),
    Quantity(
        "b",
        "b_{{{}}}",
        "curvature of layer l as the output sees it, carried to z^k",
        "spectral norm of diag(sigma''(z^l) delta^l) dz^l/dz^k; layers l and k, l above k",
    ),
    Quantity("lambda", r"\lambda_{{{}}}", "supremum of |sigma'| of layer l", "over R"),
    Quantity("beta", r"\beta_{{{}}}", "supremum of |sigma''| of layer l", "over R"),
    Quantity("gamma", r"\gamma_{{{}}}", "supremum of |sigma'''| of layer l", "over R"),
    Quantity(
        "epsilon",
        r"\varepsilon_{{{}}}",
        "bound on the Hessian norm over the ball",
        "spectral norm",
    ),
    Quantity(
        "hessian_norm",
        r"\|\nabla^2 f\|",
        "Hessian norm of the model",
        "spectral norm over all trainable parameters",
    ),
    Quantity(
        "gradient_norm",
        r"\|\nabla f\|",
        "gradient norm of the model",
        "Euclidean norm over all trainable parameters",
    ),
    Quantity("kernel", "K", "tangent kernel", "inner product of two gradients", "signed"),
    Quantity("output", "f", "output of the network", "scalar", "signed"),
    Quantity("P", "P_{{{}}}", "bound on the Jacobian of z^l by W^k", "spectral norm"),
    Quantity(
        "M",
        "M_{{{}}}",
        "bound on the block of the Hessian for layers k and k'",
        "spectral norm; v marks the readout",
    ),
    Quantity(
        "P_bar",
        r"\bar P_{{{}}}",
        "bound on the Jacobian of z^l by W^k on the ball",
        "spectral norm",
    ),
    Quantity(
        "M_bar",
        r"\bar M_{{{}}}",
        "bound on the block of the Hessian for layers k and k' on the ball",
        "spectral norm; v marks the readout",
    ),
    Quantity("s_bar", r"\bar s_{{{}}}", "weight norm on the ball, at most", "as s"),
    Quantity("a_bar", r"\bar a_{{{}}}", "activation scale on the ball, at most", "as a"),
    Quantity("g_bar", r"\bar g_{{{}}}", "back-propagated norm on the ball, at most", "as g"),
    Quantity("q_bar", r"\bar q_{{{}}}", "back-propagated maximum on the ball, at most", "as q"),
    Quantity("t_bar", r"\bar t_{{{}}}", "as t, on the ball, at most", "as t"),
    Quantity("y_bar", r"\bar y_{{{}}}", "as y, on the ball, at most", "as y"),
    Quantity("e_bar", r"\bar e_{{{}}}", "weights and signal on the ball, at most", "as e"),
    Quantity("h_bar", r"\bar h_{{{}}}", "as h, on the ball, at most", "as h"),
    Quantity("n_bar", r"\bar n_{{{}}}", "as n, on the ball, at most", "as n"),
    Quantity("b_bar", r"\bar b_{{{}}}", "as b with the Jacobian of the centre, at most", "as b"),
    Quantity("N_bar", r"\bar N_{{{}}}", "as N, on the ball, at most", "as N"),
    Quantity("C_bar", r"\bar C_{{{}}}", "as C, on the ball, at most", "as C"),
    Quantity(
        "K",
        "K_{{{}}}",
        "movement of the pre-activations of layer l by that of W^k, at most",
        "Euclidean norm of the one over that of the other",
    ),
    Quantity(
        "X",
        "X_{{{}}}",
        "movement of the Jacobian of z^l by z^k on the ball, at most",
        "spectral norm",
    ),
    Quantity(
        "U",
        "U_{{{}}}",
        "movement of the curvature of layer l on the ball, at most",
        "Euclidean norm of the movement of diag(sigma''(z)) delta",
    ),
    Quantity(
        "V",
        "V_{{{}}}",
        "largest movement of the curvature of a neuron of layer l on the ball, at most",
        "maximum norm of the movement of diag(sigma''(z)) delta",
    ),
    Quantity(
        "Z",
        "Z_{{{}}}",
        "movement of the pre-activations on the ball, at most",
        "Euclidean norm",
    ),
    Quantity(
        "failure",
        r"\delta",
        "allowed probability of failure",
        "in (0, 1]",
        "positive",
    ),
    Quantity("rho", r"\rho", "scale of the input", "Euclidean norm over sqrt(m_0)"),
    Quantity("origin", r"|\sigma_{{{}}}(0)|", "value of the activation at 0", "modulus"),
    Quantity("ceiling", r"\varsigma_{{{}}}", "supremum of |sigma| of layer l", "over R"),
    Quantity(
        "floor",
        r"\underline a_{{{}}}",
        "activation scale of layer l, at least",
        "any positive number that the hypotheses allow",
        "positive",
    ),
    Quantity(
        "a_mid",
        r"\mu_{{{}}}",
        "activation scale of layer l at infinite width",
        "root mean square of sigma_l at a normal variable of standard deviation mu_{l-1}",
    ),
    Quantity("a_gap", r"\nu_{{{}}}", "distance of the activation scale from mu_l, at most", "as a"),
    Quantity("s_hat", r"\hat s_{{{}}}", "weight norm of layer l, very likely at most", "as s"),
    Quantity("a_hat", r"\hat a_{{{}}}", "activation scale of layer l, very likely at most", "as a"),
    Quantity(
        "A_hat",
        r"\hat A_{{{}}}",
        "largest activation of layer l, very likely at most",
        "maximum norm",
    ),
    Quantity(
        "d_hat",
        r"\hat d_{{{}}}",
        "root mean square slope of layer l, very likely at most",
        "Euclidean norm of sigma'(z) over sqrt(m_l)",
    ),
    Quantity(
        "z_hat",
        r"\hat z_{{{}}}",
        "pre-activations of layer l, very likely at most",
        "Euclidean norm",
    ),
    Quantity("r_hat", r"\hat r_{{{}}}", "r of layer l, very likely at most", "as r"),
    Quantity("h_hat", r"\hat h_{{{}}}", "h of layer l, very likely at most", "as h"),
    Quantity("c_hat", r"\hat c_{{{}}}", "c of layer l, very likely at most", "as c"),
    Quantity("g_hat", r"\hat g_{{{}}}", "back-propagated norm, very likely at most", "as g"),
    Quantity("q_hat", r"\hat q_{{{}}}", "back-propagated maximum, very likely at most", "as q"),
    Quantity(
        "y_hat",
        r"\hat y_{{{}}}",
        "inner product of pre-activations and back-propagated signal, very likely at most",
        "absolute value of z . diag(sigma'(z)) delta",
    ),
    Quantity("E", "E_{{{}}}", "movement of the activations on the ball, at most", "Euclidean norm"),
    Quantity(
        "node_map",
        "A^{{{}}}",
        "linear map by which node n acts on its parent, linear in its weights W^n",
        "from the parent's value to the value of n",
        "signed",
    ),
    Quantity(
        "own",
        "B^{{{}}}",
        "derivative of the value of node n by its own weights W^n",
        "from the weights to the value of n, linear in the parent's value",
        "signed",
    ),
    Quantity(
        "form",
        "T^{{{}}}",
        "bilinear form of node n in its weights and its parent's value",
        "three-tensor, (T(V, a))_k = a' T_k V",
        "signed",
    ),
    Quantity(
        "link",
        "L^{{{}}}",
        "fixed linear map of node n on the value of its j-th parent, counted from 0",
        "does not depend on the parameters",
        "signed",
    ),
    Quantity("covector", "e", "which output is meant", "a unit vector", "signed"),
    Quantity(
        "node_norm",
        "s_{{{}}}",
        "norm of the map A^n by which node n acts on its parent",
        "spectral norm",
    ),
    Quantity(
        "node_norm_bar",
        r"\bar s_{{{}}}",
        "the same on the ball, at most",
        "as s",
    ),
    Quantity(
        "own_norm",
        "b_{{{}}}",
        "norm of the derivative of the value of node n by its own weights",
        "spectral norm",
    ),
    Quantity("own_norm_bar", r"\bar b_{{{}}}", "the same on the ball, at most", "as b"),
    Quantity(
        "mixed_norm",
        "x_{{{}}}",
        "norm of the mixed derivative of the output by W^n and by the parent's value",
        "spectral norm",
    ),
    Quantity(
        "pair_curve",
        "C_{{{}}}",
        "curvature of the output by the weights of two nodes, over all paths, measured whole",
        "spectral norm; nodes k and k', k at most k'",
    ),
    Quantity(
        "pair_cross",
        "X_{{{}}}",
        "mixed derivative of the output by the weights of the first node and the value below it, "
        "carried to the weights of the second over all paths, measured whole",
        "spectral norm; nodes k' and k, k before k'",
    ),
    Quantity("mixed_norm_bar", r"\bar x_{{{}}}", "the same on the ball, at most", "as x"),
    Quantity(
        "tau",
        r"\tau_{{{}}}",
        "constant of the bilinear form of node n",
        "|c . T(V, a)| <= tau |c| |V| |a|",
    ),
    Quantity(
        "ell",
        r"\ell_{{{}}}",
        "bound on the fixed map of node n on its j-th parent",
        "spectral norm",
    ),
    Quantity(
        "second",
        r"\partial^2\alpha^{{{}}}",
        "second derivatives of all entries of the value of node n, stacked",
        "from the parameters to value (x) parameters",
        "signed",
    ),
    Quantity(
        "gradients",
        r"\Gamma^{{{}}}",
        "gradients of all entries of the value of node n, each in a block of its own",
        "from the value to value (x) parameters",
        "signed",
    ),
    Quantity(
        "form_in",
        r"T^{{{}}}_{{\mathrm{{in}}}}",
        "bilinear form of node n as a map of its parent's value",
        "to value (x) weights",
        "signed",
    ),
    Quantity(
        "form_own",
        r"T^{{{}}}_{{\mathrm{{own}}}}",
        "bilinear form of node n as a map of its weights",
        "to value (x) parent's value",
        "signed",
    ),
    Quantity(
        "spread",
        r"\omega_{{{}}}",
        "bound on the form of node n as a map of its parent's value",
        "spectral norm",
    ),
    Quantity(
        "copies",
        r"\chi_{{{}}}",
        "bound on the form of node n as a map of its weights",
        "spectral norm",
    ),
    Quantity(
        "deviation",
        r"\upsilon_{{{}}}",
        "largest root of a sum of variances in a row or column of the map of node n",
        "spectral norms of the two sums over the weights",
    ),
    Quantity(
        "gain", r"\varkappa_{{{}}}", "norm of the map of node n per norm of W^n", "spectral norms"
    ),
    Quantity(
        "typical",
        r"\bar\varkappa_{{{}}}",
        "gain of node n times the roots of rows and columns of W^n",
        "spectral norm",
    ),
    Quantity(
        "node_hat", r"\hat s_{{{}}}", "norm of the map of node n, very likely at most", "as s"
    ),
    Quantity(
        "value_hat",
        r"\hat\alpha_{{{}}}",
        "norm of the value of node n, very likely at most",
        "Euclidean norm",
    ),
    Quantity(
        "jacobian_hat",
        r"\hat J_{{{}}}",
        "norm of the Jacobian of node n by all parameters, very likely at most",
        "spectral norm",
    ),
    Quantity(
        "second_hat",
        r"\hat T_{{{}}}",
        "norm of the stacked second derivatives of node n, very likely at most",
        "spectral norm",
    ),
    Quantity(
        "move", r"\mu_{{{}}}", "movement of the value of node n on the ball", "Euclidean norm"
    ),
    Quantity("reach", "P_{{{}}}", "bound on the Jacobian of alpha^n by W^k", "spectral norm"),
    Quantity(
        "reach_bar",
        r"\bar P_{{{}}}",
        "bound on the Jacobian of alpha^n by W^k on the ball",
        "spectral norm",
    ),
    Quantity(
        "G",
        "G_{{{}}}",
        "movement of the back-propagated signal on the ball, at most",
        "Euclidean norm",
    ),
    Quantity(
        "submodel",
        "g_{{{}}}",
        "sub-model i, a function of its own parameters w_i",
        "scalar",
        "signed",
    ),
    Quantity("weight", "v_{{{}}}", "weight of sub-model i", "scalar", "signed"),
    Quantity("eta", r"\eta", "scale of the assembly, 1/s(m)", "a number"),
    Quantity("own_bound", r"\beta", "bound on the Hessian norm of a model", "spectral norm"),
    Quantity(
        "part_beta",
        r"\beta_{{{}}}",
        "bound on the Hessian norm of sub-model i",
        "spectral norm",
    ),
    Quantity(
        "part_slope",
        r"c",
        "least gradient norm of a sub-model times the size of its weight",
        "Euclidean norm",
    ),
    Quantity("part_size", "G", "bound on the values of all sub-models", "a number"),
    Quantity(
        "B",
        "B^{{{}}}",
        "derivative of the pre-activations of one layer by the activations of a lower one",
        "a matrix; the layers are n and k",
        "signed",
    ),
    Quantity(
        "J",
        "J_{{{}}}",
        "bound on the Jacobian of alpha^l by all parameters",
        "spectral norm",
    ),
    Quantity(
        "Q",
        "Q_{{{}}}",
        "movement of the back-propagated signal on the ball, at most",
        "maximum norm",
    ),
)

CENTRE = make("point", "theta0")
POINT = make("point", "theta")
INPUT = make("input", "x")
OTHER = make("input", "z")
RADIUS = make("sym", "R")
SAMPLES = make("input", "X")  # the inputs of a training set
OUTER = make("index", "phi", 0)  # the layer of the output non-linearity phi
FAILURE = make("sym", "failure")
# Layer statistics measured at the centre, and those of pairs of layers.
STATISTICS = ("s", "a", "g", "q", "r", "h", "c", "t", "y", "e", "p", "u")
PAIR_STATISTICS = ("N", "C", "n", "w", "b")
BETWEEN = ("n", "w", "b")  # they speak of dz^l/dz^k for l above k
PAIR_CURVE, PAIR_CROSS = "pair_curve", "pair_cross"  # those of pairs of a graph's nodes
FROM_SECOND = ("r", "t", "y")  # they speak of the slopes of the layer below
WEIGHT_STATISTICS = ("s", "u")  # of the weights alone: the same for every input
READOUT = "v"  # the name of the readout among the blocks of parameters


# -- spaces and operators -------------------------------------------------------------------------


def layer(index: Arg) -> Term:
    """The space of layer l, of dimension m_l."""
    return make("layer", index)


def width(index: Arg) -> Term:
    """m_l, the width of layer l."""
    return make("dim", layer(index))


def weights_space(index: Arg) -> Term:
    """The space of the weights of layer l, of dimension m_l m_{l-1}."""
    return tensor(layer(index), layer(shift(index, -1)))


def parameters(point: Term) -> Term:
    """theta, the vector of all trainable parameters, at a point."""
    return make("op", "theta", PARAMS, SCALAR, point)


def weights(index: Arg, point: Term) -> Term:
    """W^l at a point."""
    return make("op", "W", layer(index), layer(shift(index, -1)), index, point)


def readout_weights(index: Arg, point: Term | None) -> Term:
    """v; a fixed readout has no point."""
    tags = () if point is None else (point,)
    return make("op", "v", layer(index), SCALAR, index, *tags)


def activation(index: Arg, point: Term, at: Term) -> Term:
    """alpha^l at a point and an input."""
    return make("op", "alpha", layer(index), SCALAR, index, point, at)


def preactivation(index: Arg, point: Term, at: Term) -> Term:
    """z^l at a point and an input."""
    return make("op", "z", layer(index), SCALAR, index, point, at)


def signal(index: Arg, point: Term, at: Term) -> Term:
    """delta^l, the back-propagated signal, at a point and an input."""
    return make("op", "delta", layer(index), SCALAR, index, point, at)


def output(point: Term, at: Term) -> Term:
    """The output f at a point and an input."""
    return make("op", "f", SCALAR, SCALAR, point, at)


def block(which: Arg, depth: Arg) -> Term:
    """The coordinate projection of all parameters onto W^l, or onto v for ``"v"``."""
    if which == READOUT:
        return make("op", "Pi", layer(depth), PARAMS, READOUT)
    return make("op", "Pi", weights_space(which), PARAMS, which)


def partial(by: str, index: Arg, point: Term, at: Term) -> Term:
    """A partial derivative of layer l by its own weights (w) and by its input (a).

    ``dw`` and ``da`` are Jacobians; ``dww``, ``dwa`` and ``daa`` are three-tensors, operators from
    the tensor product of the spaces that they are derivatives by.  The own weights are seen as
    functions of all parameters.
    """
    below = layer(shift(index, -1))
    spaces = {"w": PARAMS, "a": below}
    cols = [spaces[letter] for letter in by[1:]]
    return make(
        "op", by, layer(index), tensor(*cols) if len(cols) > 1 else cols[0], index, point, at
    )


def gradient(point: Term, at: Term) -> Term:
    """The gradient of f."""
    return make("T", make("jac", output(point, at), point))


def hessian(point: Term, at: Term) -> Term:
    """The Hessian of f."""
    return make("hess", make("id", SCALAR), output(point, at), point)


def sigma(index: Arg, order: int, vector: Term) -> Term:
    """The order-th derivative of the activation of layer l, entry by entry."""
    return make("act", index, order, vector)


def slope(index: Arg, point: Term, at: Term) -> Term:
    """D^l, the diagonal matrix of the activation's first derivatives at z^l."""
    return make("diag", sigma(index, 1, preactivation(index, point, at)))


# -- assemblies of sub-models ----------------------------------------------------------------------

PARTS = make("space", "m")  # one coordinate for each sub-model


def part(index: Arg) -> Term:
    """The space of the parameters w_i of sub-model i."""
    return make("part", index)


def part_block(index: Arg) -> Term:
    """The coordinate projection of all parameters onto w_i."""
    return make("op", "Pi_part", part(index), PARAMS, index)


def submodel(index: Arg, point: Term, at: Term) -> Term:
    """g_i at a point and an input, a scalar."""
    return make("op", "submodel", SCALAR, SCALAR, index, point, at)


def part_weight(*index: Arg) -> Term:
    """v_i, a scalar of any sign; v_{i,k} of the k-th member of a group that shares parameters."""
    return make("op", "weight", SCALAR, SCALAR, *index)


def part_hessian(index: Arg, point: Term, at: Term) -> Term:
    """The Hessian of g_i by its own parameters, an operator on the space of w_i."""
    whole = make("hess", make("id", SCALAR), submodel(index, point, at), point)
    return dot(part_block(index), whole, make("T", part_block(index)))


def part_gradient(index: Arg, point: Term, at: Term) -> Term:
    """The gradient of g_i by its own parameters, a vector."""
    return dot(part_block(index), make("T", make("jac", submodel(index, point, at), point)))


def transfer(above: Arg, below: Arg, point: Term, at: Term) -> Term:
    """B^{n,k}, the derivative of z^n by alpha^k, for k < n."""
    return make("op", "B", layer(above), layer(below), above, below, point, at)


# -- training -------------------------------------------------------------------------------------

SAMPLE_SPACE = make("space", "samples")


def outputs(point: Term, at: Term = SAMPLES) -> Term:
    """F, the outputs on a training set, one entry for each sample."""
    return make("op", "F", SAMPLE_SPACE, SCALAR, point, at)


def residual(point: Term, at: Term = SAMPLES) -> Term:
    """F - y, the outputs less the labels."""
    labels = make("op", "labels", SAMPLE_SPACE, SCALAR, at)
    return make("plus", outputs(point, at), make("neg", labels))


def loss(point: Term, at: Term = SAMPLES) -> Term:
    """The square loss ``|F - y|^2 / 2``."""
    return mul(make("rat", Fraction(1, 2)), squared(norm(residual(point, at))))


def outputs_jacobian(point: Term, at: Term = SAMPLES) -> Term:
    """J, the Jacobian of the outputs by the parameters."""
    return make("jac", outputs(point, at), point)


def loss_gradient(point: Term, at: Term = SAMPLES) -> Term:
    """``J' (F - y)``, the gradient of the square loss."""
    return dot(make("T", outputs_jacobian(point, at)), residual(point, at))


def loss_bend(point: Term, at: Term = SAMPLES) -> Term:
    """``sum_i (F - y)_i H_i``, what the Hessians of the outputs add to that of the loss."""
    return make("hess", residual(point, at), outputs(point, at), point)


def kernel_matrix(point: Term, at: Term = SAMPLES) -> Term:
    """``K = J J'``, the tangent kernel on the training set."""
    row = outputs_jacobian(point, at)
    return dot(row, make("T", row))


# -- scalars --------------------------------------------------------------------------------------


def descent_formula(point: Term, after: Term, at: Term = SAMPLES) -> Term:
    """One step of gradient descent on the square loss: ``theta+ = theta - eta J'(F - y)``."""
    moved = make("scale", symbol("step_size"), loss_gradient(point, at))
    value = make("plus", parameters(point), make("neg", moved))
    return make("eq", parameters(after), value)


def rate_power(steps: Arg) -> Term:
    """kappa^t, for a number of steps that may be symbolic."""
    return make("sym", "rate_power", steps)


def lipschitz(index: Arg) -> Term:
    """lambda_l, the supremum of |sigma'| in layer l."""
    return make("sym", "lambda", index)


def curvature(index: Arg) -> Term:
    """beta_l, the supremum of |sigma''| in layer l."""
    return make("sym", "beta", index)


def third(index: Arg) -> Term:
    """gamma_l, the supremum of |sigma'''| in layer l."""
    return make("sym", "gamma", index)


def tolerance(at: Term) -> Term:
    """epsilon, a bound on the Hessian norm over the ball, at an input."""
    return make("sym", "epsilon", at)


def symbol(name: str, *tags: Arg) -> Term:
    """The real symbol of a quantity named in :data:`QUANTITIES`."""
    if name not in QUANTITIES:
        msg = f"{name!r} is not in the vocabulary; known: {', '.join(QUANTITIES)}"
        raise KeyError(msg)
    return make("sym", name, *tags)


def share(part: int, parts: int) -> Term:
    """``part / parts`` of the allowed probability of failure."""
    return mul(rat(part, parts), FAILURE)


def tail(probability: Term) -> Term:
    """``sqrt(2 ln(1/p))``, which a Lipschitz function of normal variables exceeds its mean by."""
    return make("tail", probability)


def quantile(probability: Term) -> Term:
    """The number that the modulus of a normal variable exceeds with that probability."""
    return make("quantile", probability)


def root_mean_square(index: Arg, order: int, scale: Term) -> Term:
    """``sqrt(E sigma_l^(order)(scale xi)^2)`` for a normal variable xi."""
    return make("rms", index, order, scale)


def input_scale(at: Term) -> Term:
    """rho, the Euclidean norm of an input over the square root of its dimension."""
    return make("sym", "rho", at)


def origin(index: Arg) -> Term:
    """|sigma_l(0)|."""
    return make("sym", "origin", index)


def ceiling(index: Arg) -> Term:
    """The supremum of |sigma| in layer l."""
    return make("sym", "ceiling", index)


def floor(index: Arg) -> Term:
    """A positive number that the activation scale of layer l is likely not to fall below."""
    return make("sym", "floor", index)


def definition(name: str, index: Arg, point: Term, at: Term) -> Term:
    """What a measured layer statistic of layer l stands for, as a real term.

    Raises:
        KeyError: when the name is not one of ``STATISTICS``.
    """
    match name:
        case "s":
            scale = inv_root(width(shift(index, -1)))
            return mul(norm(weights(index, point)), scale)
        case "a":
            return mul(norm(activation(index, point, at)), inv_root(width(index)))
        case "g":
            return norm(signal(index, point, at))
        case "q":
            return norm(signal(index, point, at), "inf")
        case "r":
            below = shift(index, -1)
            sloped = dot(weights(index, point), slope(below, point, at))
            return mul(norm(sloped), inv_root(width(below)))
        case "h":
            return norm(dot(slope(index, point, at), signal(index, point, at)))
        case "c":
            return norm(bend(index, point, at).args[0], "inf")
        case "t" | "y" | "e" | "p" | "u":
            return _of_weights(name, index, point, at)
    msg = f"{name!r} is not a layer statistic; these are {', '.join(STATISTICS)}"
    raise KeyError(msg)


RECURSIVE = ("J",)  # symbols that are defined by what they are one layer below


def recursive_definition(name: str, index: Arg, point: Term, at: Term) -> Term:
    """What a symbol of ``RECURSIVE`` is in layer l, from what it is in layer l-1.

    ``J_0 = 0`` and ``J_l = lambda_l (|alpha^{l-1}| + |W^l| J_{l-1}) / sqrt(m_{l-1})``, a bound on
    the Jacobian of alpha^l by all parameters.

    Raises:
        KeyError: when the name is not one of ``RECURSIVE``.
    """
    if name not in RECURSIVE:
        msg = f"{name!r} has no recursive definition; these have: {', '.join(RECURSIVE)}"
        raise KeyError(msg)
    if index == 0:
        return ZERO
    below = shift(index, -1)
    carried = mul(norm(weights(index, point)), symbol(name, below, point, at))
    reach = add(norm(activation(below, point, at)), carried)
    return mul(lipschitz(index), reach, inv_root(width(below)))


def _of_weights(name: str, index: Arg, point: Term, at: Term) -> Term:
    """t, y, e, p and u: norms of the weights of a layer among what surrounds them."""
    below = shift(index, -1)
    own = weights(index, point)
    scale = inv_root(width(below))
    match name:
        case "u":
            return mul(norm(make("T", own), "2inf"), scale)
        case "e":
            return mul(norm(dot(make("diag", signal(index, point, at)), own)), scale)
        case "p":
            seen = dot(make("T", own), make("diag", signal(index, point, at)))
            return mul(norm(seen, "2inf"), scale)
    curved = dot(bend(index, point, at), own, slope(below, point, at))
    if name == "t":
        return mul(norm(curved), scale)
    return mul(norm(dot(slope(below, point, at), make("T", own), curved)), scale, scale)


def bend(index: Arg, point: Term, at: Term) -> Term:
    """diag(sigma''(z^l) delta^l), the curvature of each neuron as the output sees it."""
    second = make("diag", sigma(index, 2, preactivation(index, point, at)))
    return make("diag", dot(second, signal(index, point, at)))


def step_down(index: int, point: Term, at: Term) -> Term:
    """dz^l/dz^{l-1} = W^l D^{l-1} / sqrt(m_{l-1})."""
    sloped = dot(weights(index, point), slope(index - 1, point, at))
    return make("scale", inv_root(width(index - 1)), sloped)


def between(high: int, low: int, point: Term, at: Term) -> Term:
    """dz^l/dz^k for l >= k, as a product of the layers between."""
    if high == low:
        return make("id", layer(low))
    steps = [step_down(i, point, at) for i in range(high, low, -1)]
    return steps[0] if len(steps) == 1 else dot(*steps)


def output_curvature(index: int, depth: int, point: Term, at: Term) -> Term:
    """d^2 f/(dz^l)^2, written as ``S_l = diag(sigma'' delta) + (dz^{l+1}/dz^l)' S_{l+1} (...)``."""
    own = bend(index, point, at)
    if index == depth:
        return own
    step = step_down(index + 1, point, at)
    above = output_curvature(index + 1, depth, point, at)
    return make("plus", own, dot(make("T", step), above, step))


def pair_operator(name: str, row: int, col: int, depth: int, point: Term, at: Term) -> Term:
    """The operator whose norm a statistic of a pair of layers is.

    ``N`` of (l, k), l >= k: D^l dz^l/dz^k. ``C`` of (k, l), k <= l: (dz^l/dz^k)' d^2 f/(dz^l)^2.
    ``n`` and ``w`` of (l, k), l > k: dz^l/dz^k. ``b`` of (l, k): diag(sigma'' delta) dz^l/dz^k.

    Raises:
        KeyError: when the name is not one of ``PAIR_STATISTICS``, or the layers do not fit.
    """
    if name in BETWEEN and 1 <= col < row <= depth:
        steps = between(row, col, point, at)
        return dot(bend(row, point, at), steps) if name == "b" else steps
    if name == "N" and 1 <= col <= row <= depth:
        own = slope(row, point, at)
        return own if row == col else dot(own, between(row, col, point, at))
    if name == "C" and 1 <= row <= col <= depth:
        curved = output_curvature(col, depth, point, at)
        return curved if row == col else dot(make("T", between(col, row, point, at)), curved)
    msg = (
        f"{name}_({row},{col}) is not measured at depth {depth}: N for l >= k, C for k <= l, "
        "n, w and b for l > k"
    )
    raise KeyError(msg)


def pair_definition(name: str, row: int, col: int, depth: int, point: Term, at: Term) -> Term:
    """What a measured statistic of a pair of layers stands for, as a real term."""
    kind = "2inf" if name == "w" else "2"
    return norm(pair_operator(name, row, col, depth, point, at), kind)


def squared(term: Term) -> Term:
    """The square of a real."""
    return power(term, 2)
