"""Rows B1, B2, B3 and B7: assemblies of sub-models.

Model: ``f(theta; x) = eta sum_{i=1}^m v_i g_i(w_i; x)``, eta = 1/s(m), sub-models of any kind with
parameters of their own, or in groups that share them.

Method: the Hessian is block diagonal, and the gradient's blocks are orthogonal; sums and maxima
over the symbolic number m of sub-models are followed term by term, by induction.

Guarantee: ``|H| = eta max_i |v_i| |H(g_i)|`` and ``|grad f|^2 = eta^2 sum_i |v_i|^2 |grad g_i|^2``,
exactly, at every point of parameter space.

Source: C. Liu, L. Zhu, M. Belkin, ICLR 2022, arXiv:2203.05104, Section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from theory.assemblies import Assembly, SubModel
from theory.derive import assemblies
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import LARGEST
from theory.lemmas.assemblies import PART
from theory.networks import Network
from theory.theorem import Theorem
from theory.theorems import LZB22, HypothesisError, hessian_bound, reference_network

SECTION = f"{LZB22}, Section 2"


def _theorem(
    name: str,
    title: str,
    judgement: Judgement,
    claims: tuple[Claim, ...] = (),
    quantity: str = "",
    remarks: tuple[str, ...] = (),
    below: bool = False,
) -> Theorem:
    last = Claim(name.rpartition("/")[2], title, judgement)
    return Theorem(
        name,
        title,
        judgement,
        SECTION,
        "LZB22",
        (),
        (*claims, last),
        quantity=quantity,
        remarks=remarks,
        below=below,
    )


def _block_hessian() -> Claim:
    title = "the block of the Hessian for one sub-model"
    return Claim("block", title, assemblies.block_hessian(assemblies.STEP))


def _block_gradient() -> Claim:
    title = "the block of the gradient for one sub-model"
    return Claim("slope", title, assemblies.block_gradient(assemblies.STEP))


def independent() -> Theorem:
    """B1: the Hessian norm of an assembly is the largest of its sub-models', scaled; exactly."""
    return _theorem(
        "LZB22/B1",
        "the Hessian norm of an assembly, exactly",
        assemblies.hessian_norm(),
        (_block_hessian(),),
        "hessian_norm",
        ("With s(m) = sqrt(m), and no sub-model that dominates, it vanishes as m^(-1/2).",),
    )


def gradient() -> Theorem:
    """B2: the squared gradient norm of an assembly is the scaled sum of its sub-models'."""
    return _theorem(
        "LZB22/B2",
        "the gradient norm of an assembly, exactly",
        assemblies.gradient_norm_squared(),
        (_block_gradient(),),
        "gradient_norm",
        ("With s(m) = sqrt(m) it does not vanish; with s(m) = m (mean field) it does.",),
    )


def gradient_floor() -> Theorem:
    """B2: at the scale sqrt(m) the gradient is at least as large as the least sub-model's."""
    return _theorem(
        "LZB22/B2-floor",
        "the gradient norm of an assembly does not vanish with m",
        assemblies.gradient_floor(),
        (Claim("B2", "the gradient norm of an assembly", assemblies.gradient_norm_squared()),),
        "gradient_norm",
        below=True,
    )


def like_with_like() -> Theorem:
    """B2: the Hessian norm relative to the gradient norm is the same for every scale s(m)."""
    return _theorem(
        "LZB22/B2-ratio",
        "Hessian norm and gradient norm compared, whatever the scale",
        assemblies.like_with_like(),
        (
            Claim("B1", "the Hessian norm of an assembly", assemblies.hessian_norm()),
            Claim("gradient", "the gradient norm of an assembly", assemblies.gradient_norm()),
        ),
        remarks=(
            "The scale cancels: relative to its gradient, an assembly in the mean field scaling "
            "s(m) = m is exactly as curved as one with s(m) = sqrt(m).",
        ),
    )


def output() -> Theorem:
    """B2: the output is O(1) at the scale sqrt(m), with an explicit constant and probability."""
    return _theorem(
        "LZB22/B2-output",
        "the output of an assembly is O(1) with high probability",
        assemblies.bounded_output(),
        (Claim("hoeffding", "random signs", assemblies.likely_output()),),
        remarks=(
            "The probability is over the signs v_1, ..., v_m alone; it holds for every value of "
            "the parameters. With s(m) = m the output shrinks as m^(-1/2), as the gradient does.",
        ),
    )


def dominating() -> Theorem:
    """B3: no sub-model's share of the Hessian can be averaged away."""
    return _theorem(
        "LZB22/B3",
        "every sub-model bounds the Hessian norm from below",
        assemblies.dominated(PART),
        (Claim("block", "the block of one sub-model", assemblies.block_hessian(PART)),),
        below=True,
    )


def _exponent(name: str, value: Fraction, *, least: int) -> Fraction:
    """An exponent whose numerator is at least ``least``, of numbers that lemmas speak of."""
    exponent = Fraction(value)
    if not (least <= exponent.numerator <= LARGEST and exponent.denominator <= LARGEST):
        sign = "positive" if least else "not negative"
        msg = f"{name} is {value}; give an exponent that is {sign}, of numbers up to {LARGEST}"
        raise ValueError(msg)
    return exponent


def dominance_dial(weight: Fraction = Fraction(1, 2), scale: Fraction = Fraction(1, 2)) -> Theorem:
    """B3 with a dial: ``|v_i| = m^weight`` at the scale ``s(m) = m^scale``.

    Args:
        weight: the exponent gamma >= 0 of the dominating sub-model's weight.
        scale: the exponent of s(m), positive.

    Returns:
        ``m^(weight - scale) |H(g_i)| <= |H|``; with weight = scale nothing vanishes.

    Raises:
        ValueError: when an exponent is out of range.
    """
    gamma, sigma = _exponent("weight", weight, least=0), _exponent("scale", scale, least=1)
    judgement = assemblies.dial(
        PART, (gamma.numerator, gamma.denominator), (sigma.numerator, sigma.denominator)
    )
    return _theorem(
        "LZB22/B3-dominance",
        "a dominating sub-model keeps the Hessian norm from vanishing",
        judgement,
        (Claim("B3", "every sub-model bounds the Hessian norm", assemblies.dominated(PART)),),
        below=True,
    )


def sharing() -> Theorem:
    """B3: sub-models that share parameters count as one, with the sum of their weights."""
    return _theorem(
        "LZB22/B3-sharing",
        "sub-models that share their parameters, exactly",
        assemblies.shared_hessian_norm(),
        (Claim("B1", "the Hessian norm of an assembly", assemblies.hessian_norm()),),
        "hessian_norm",
        (
            "With one group (no diversity) the Hessian norm is that of a single sub-model times "
            "|sum of the weights| / s; what counts is the number of distinct groups.",
        ),
    )


def strong(scale: Fraction = Fraction(1, 2)) -> Theorem:
    """B7: sub-models of any kind, with any bounds on their Hessian norms, at ``s(m) = m^scale``.

    Each beta_i may come from a theorem of its own, about a network of any size.

    Args:
        scale: the exponent of s(m), positive, of numbers up to 400.

    Raises:
        ValueError: when it is not one.
    """
    sigma = _exponent("scale", scale, least=1)
    judgement = assemblies.scaled_bound((sigma.numerator, sigma.denominator))
    return _theorem(
        "LZB22/B7",
        "strong sub-models assemble too",
        judgement,
        (Claim("B1", "the Hessian norm of an assembly", assemblies.hessian_norm()),),
        "hessian_norm",
    )


def strong_networks(network: Network | None = None, scale: Fraction = Fraction(1, 2)) -> Theorem:
    """B7 for m networks of one architecture, the bound on each proved in the same proof.

    Every sub-model is a network with the layers of the description; their widths and activations
    may differ.  beta_i is the right side of the network's own theorem, by its own statistics.

    Args:
        network: the description; by default two hidden layers.
        scale: the exponent of s(m), positive, of numbers up to 400.

    Raises:
        HypothesisError: no theorem covers the description; the message names what is missing.
        ValueError: when the scale is no such exponent.
    """
    sigma = _exponent("scale", scale, least=1)
    return _networks(network or reference_network(2), (sigma.numerator, sigma.denominator))


@lru_cache(maxsize=64)
def _networks(network: Network, scale: tuple[int, int] | None) -> Theorem:
    """The same at a scale, or at any."""
    own = hessian_bound(network)
    joined = (
        assemblies.network_parts(own.judgement)
        if scale is None
        else assemblies.scaled_bound(scale, own.judgement)
    )
    return _theorem(
        "LZB22/B7-networks",
        "networks assemble, each with the bound of its own statistics",
        joined,
        (
            Claim("own", "the bound for a network", own.judgement),
            Claim("B1", "the Hessian norm of an assembly", assemblies.hessian_norm()),
        ),
        "hessian_norm",
    )


@dataclass(frozen=True)
class AssemblyBound:
    """B7 for a described assembly, with a theorem for every kind of sub-model.

    Attributes:
        theorem: ``|H| <= eta max_i |v_i| beta_i``, with ``eta = m^(-p)`` where every sub-model has
            parameters of its own.
            For sub-models of one kind, a network, its proof has that of their bound inside it.
        parts: for each kind of sub-model the theorem that bounds its Hessian norm, whose right side
            is its beta, or the beta that was declared for a function.
    """

    theorem: Theorem
    parts: tuple[Theorem | float, ...]


def assembly_bound(assembly: Assembly) -> AssemblyBound:
    """B7 for a described assembly: sub-models may be networks of any fixed size.

    The premise of B7, a bound beta_i on the Hessian norm of each sub-model, is the conclusion of
    that sub-model's own theorem, at the centre.

    Raises:
        HypothesisError: no theorem covers the description; the message names what is missing.
    """
    exponent = assembly.scale_exponent
    if exponent is None or exponent <= 0:
        msg = f"B7 is about scales s = N^p with p > 0; this one is {assembly.scale}"
        raise HypothesisError(msg)
    parts = tuple(map(_part_bound, assembly.parts))
    return AssemblyBound(_joined(assembly, exponent), parts)


def _joined(assembly: Assembly, exponent: Fraction) -> Theorem:
    """B7 for the sub-models together: proved with their own bounds where they are of one kind."""
    plain = assembly.shared == 1
    if len(assembly.parts) == 1 and isinstance(assembly.parts[0], Network):
        if plain:
            return strong_networks(assembly.parts[0], exponent)
        return _networks(assembly.parts[0], None)
    return strong(exponent) if plain else _any_scale()


def _any_scale() -> Theorem:
    return _theorem(
        "LZB22/B7",
        "strong sub-models assemble too, at any scale",
        assemblies.bounded_parts(),
        (Claim("B1", "the Hessian norm of an assembly", assemblies.hessian_norm()),),
        "hessian_norm",
    )


def _part_bound(part: SubModel) -> Theorem | float:
    if isinstance(part, Network):
        return hessian_bound(part)
    if part.beta is None:
        msg = (
            f"no bound is known on the Hessian of the function {part.name!r}: declare one, as in "
            "SubFunction(..., beta=...)"
        )
        raise HypothesisError(msg)
    return part.beta
