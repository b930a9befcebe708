"""What a theorem may rest on: assumptions of a known form, and definitions that only abbreviate.

A replayed proof shows ``hypotheses |- statement``.  That says what a reader takes it to say only if
the hypotheses are either definitions, which a reader can undo, or assumptions of a kind that the
theory has a meaning for.  Anything else is an extra assumption, and is reported as one.  What a
definition may be, :mod:`proofs_check.replay.definitions` says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from proofs_check.replay import training
from proofs_check.replay.binding import STAR, brief, free, mentions, postorder, put
from proofs_check.replay.conflicts import conflicts
from theory import vocabulary
from theory.graph_terms import GRAPH_STATISTICS, Shape, parse
from theory.proofs import Proof
from theory.terms import PARAMS, SCALAR, Term, make

# real symbols that trusted lemmas speak about
INTERPRETED = frozenset(
    {
        *("lambda", "beta", "gamma", "ceiling", "origin"),  # of activations
        *("J", "eta", "tau", "ell", "rho", "failure", "floor"),
        *("part_beta", "part_slope", "part_size", "own_bound"),  # of sub-models
        *("spread", "copies", "deviation", "gain", "typical"),  # of random weights
        *("rate", "rate_power"),  # of gradient descent
    }
)
OF_A_PART = frozenset({"own_bound"})  # spoken of by a lemma inside a sub-model, defined there
MEASURED = frozenset({*vocabulary.STATISTICS, *GRAPH_STATISTICS})  # measured on networks


@dataclass(frozen=True)
class Assumption:
    """One assumption of a theorem.

    Attributes:
        formula: the assumption.
        kind: ``fact``, ``ball``, ``hessian``, ``on the ball``, ``everywhere``, ``number``,
            ``step``, ``indices``, ``range``, ``width`` (the widths are large enough for a positive
            floor), or ``extra`` for any other.
        used: whether the proof's last step has it as a hypothesis.
        allowed: whether it is of a known kind, or the caller allowed it.
    """

    formula: Term
    kind: str
    used: bool
    allowed: bool

    def __str__(self) -> str:
        """The assumption in a line."""
        marks = "" if self.allowed else " (EXTRA: of no known kind)"
        return f"{self.kind}: {brief(self.formula, 300)}{marks}{'' if self.used else ' (unused)'}"


# -- assumptions ----------------------------------------------------------------------------------

_FACTS: dict[str, tuple[str, ...]] = {
    "dense": ("index",),
    "general": ("index",),
    "samples": ("input", "input"),
    "pointwise": ("index",),
    "smooth": ("index",),
    "bounded": ("index", "order"),
    "input": (),
    "readout": ("kind", "index"),
    "parameters": ("depth", "kind"),
    "gaussian": ("depth", "law"),
    "twice_differentiable": ("input",),
    "assembly": ("count",),
    "shared": ("count", "count"),
    "signs": ("count",),
    "output_bounded": ("part",),
    "scale": ("count", "count"),
    "dominant": ("part", "natural", "count"),
    "part_bounded": ("part", "point", "input"),
    "part_steep": ("part", "point", "input"),
    "graph": ("code",),
    "drawn": ("node", "node law"),
}
_ASSEMBLY = frozenset(
    {
        "assembly",
        "signs",
        "shared",
        "scale",
        "dominant",
        "part_bounded",
        "part_steep",
        "output_bounded",
    }
)
# what a graph is not described by
_OF_LAYERS = frozenset(
    {"dense", "gaussian", "general", "pointwise", "readout", "parameters", *_ASSEMBLY}
)


def kind_of(formula: Term) -> str:
    """The kind of an assumption (see :class:`Assumption`)."""
    if formula.sort != "formula" or mentions(formula, STAR):
        return "extra"
    match formula.head:
        case "fact":
            return "fact" if is_fact(formula) else "extra"
        case "forall":
            known = is_fact(formula.args[3]) or _is_of_every_part(formula)
            return "indices" if known else "extra"
        case "range":
            return "range"
        case "ball":
            if _is_hessian_bound(formula):
                return "hessian"
            plain = formula.args[2] is training.R and training.is_bound(formula.args[3])
            return "on the ball" if plain or _is_about_the_model(formula.args[3]) else "extra"
        case "everywhere":
            return "everywhere" if _is_about_the_model(formula.args[1]) else "extra"
        case "le" if _is_in_ball(formula):
            return "ball"
        case "le" if is_width_condition(formula):
            return "width"
        case "le" | "eq" if training.is_number(formula):
            return "number"
        case "eq" if training.is_step(formula):
            return "step"
    return "extra"


def is_fact(formula: Term) -> bool:
    """Whether it is a fact of a known name, with the tags that it needs."""
    if formula.head != "fact" or formula.args[0] not in _FACTS:
        return False
    wanted, tags = _wanted(formula), formula.args[1:]
    return len(wanted) == len(tags) and all(map(_is_tag, wanted, tags))


def _is_of_every_part(formula: Term) -> bool:
    """A fact about every sub-model as a model of its own, or an abbreviation of its numbers.

    Whether the abbreviations are no more than that, ``definition_problems`` says.
    """
    name, low, _, inner = formula.args
    if inner.head != "for_part" or low != 1 or inner.args[0] is not make("index", name, 0):
        return False
    stated = inner.args[1]
    named = stated.head == "eq" and stated.args[0].head == "sym"
    apart = make("index", name, 0) not in free(stated)
    return apart and (named or is_fact(stated))


def of_parts(assumptions: Iterable[Term]) -> dict[Any, list[Term]]:
    """What is assumed of sub-models as models of their own, by the range of their indices."""
    found: dict[Any, list[Term]] = defaultdict(list)
    for formula in assumptions:
        if formula.head == "forall" and formula.args[3].head == "for_part":
            found[formula.args[1:3]].append(formula.args[3].args[1])
    return found


def _wanted(formula: Term) -> tuple[str, ...]:
    """The kinds of a fact's tags; of a training set, as many inputs as it has."""
    name, *tags = formula.args
    kinds = _FACTS[name]
    return kinds[:1] * max(len(tags), 2) if name == "samples" else kinds


def _is_tag(wanted: str, tag: Any) -> bool:
    match wanted:
        case "index":
            return type(tag) is int or getattr(tag, "sort", "") == "index"
        case "count" | "part":
            return (type(tag) is int and tag >= 1) or getattr(tag, "sort", "") == "index"
        case "natural":
            return type(tag) is int and tag >= 0
        case "order":
            return type(tag) is int and tag in (0, 1, 2, 3)
        case "law":
            return tag in ("gaussian", "sign")
        case "node law":
            return tag in ("gaussian", "masked", "sign")
        case "depth" | "node":
            return type(tag) is int and tag >= 1
        case "kind":
            return tag in ("trained", "fixed")
        case "code":
            return type(tag) is str and _graph(tag) is not None
    return getattr(tag, "sort", "") == wanted


def _graph(code: str) -> Shape | None:
    """The graph of a code; None where it is not one."""
    try:
        return parse(code)
    except ValueError:
        return None


def _is_in_ball(formula: Term) -> bool:
    """``|theta(p) - theta(c)| <= r`` for two points and a plain radius."""
    small, radius = formula.args
    points = sorted((v for v in free(small) if v.head == "point"), key=repr)
    if len(points) != 2 or not _is_plain(radius):
        return False
    return any(small is _distance(p, c) for p, c in (points, points[::-1]))


def is_width_condition(formula: Term) -> bool:
    """``floor_l + n <= m`` of one layer, n and m symbols that stand for something not random.

    With mu_l > 0 it can be met as soon as n is small enough; it is what "wide enough" means.
    """
    small, large = formula.args
    if small.head != "add" or len(small.args) != 2 or large.head != "sym":
        return False
    least, away = small.args
    named = least.head == "sym" and least.args[0] == "floor" and away.head == "sym"
    names = (away.args[0], large.args[0]) == ("a_gap", "a_mid")
    layers = {t.args[1] for t in (least, away, large) if len(t.args) > 1}
    return named and names and len(layers) == 1 and not any(_has_point(t) for t in formula.args)


def _has_point(term: Term) -> bool:
    return any(node.sort in ("point", "op") for node in postorder(term))


def _distance(point: Term, centre: Term) -> Term:
    here, there = (make("op", "theta", PARAMS, SCALAR, p) for p in (point, centre))
    return make("norm", "2", make("plus", here, make("neg", there)))


_PLAIN = frozenset({"rat", "sym", "dim", "add", "mul", "pow", "max", "min"})


def _is_plain(term: Term) -> bool:
    """Whether a real is built from numbers and symbols without points."""
    reals = (node for node in postorder(term) if node.sort == "real")
    points = any(v.head in ("point", "var") for v in free(term))
    return not points and all(node.head in _PLAIN for node in reals)


def _is_hessian_bound(formula: Term) -> bool:
    """``|H(theta)| <= e`` for all theta in a ball, e the same for all of them."""
    inner = formula.args[3]
    if inner.head != "le" or not _is_plain(formula.args[2]):
        return False
    inputs = [v for v in free(inner.args[0]) if v.head == "input"]
    if len(inputs) != 1 or mentions(inner.args[1], STAR):
        return False
    model = make("op", "f", SCALAR, SCALAR, STAR, inputs[0])
    return inner.args[0] is make("norm", "2", make("hess", make("id", SCALAR), model, STAR))


def _is_about_the_model(formula: Term) -> bool:
    """``K(*) = K(c)``, the kernel of the model at one input; or ``H(*) = 0``."""
    inputs = [v for v in free(formula) if v.head == "input"]
    if formula.head != "eq" or len(inputs) != 1:
        return False
    left, right = formula.args
    if left is _hessian(STAR, inputs[0]):
        return bool(right is make("zero", PARAMS, PARAMS))
    centres = [v for v in free(right) if v.head == "point"]
    kernels = [_kernel(p, inputs[0]) for p in (STAR, *centres)]
    return len(kernels) == 2 and centres[0] is not STAR and [left, right] == kernels


def _hessian(point: Term, at: Term) -> Term:
    model = make("op", "f", SCALAR, SCALAR, point, at)
    return make("hess", make("id", SCALAR), model, point)


def _kernel(point: Term, at: Term) -> Term:
    row = make("jac", make("op", "f", SCALAR, SCALAR, point, at), point)
    column = make("T", row)
    return make("dot", make("T", column), column)


def assumptions_of(
    proof: Proof, hypotheses: Iterable[Term], allow: Iterable[Term] = ()
) -> tuple[Assumption, ...]:
    """Every assumption of a proof, with its kind."""
    used, allowed = frozenset(hypotheses), frozenset(allow)
    found = []
    for formula in dict.fromkeys(proof.assumptions):
        kind = kind_of(formula)
        fits = kind != "extra" or formula in allowed
        found.append(Assumption(formula, kind, formula in used, fits))
    return tuple(found)


def contradictions(assumptions: Iterable[Term]) -> list[str]:
    """Why no network can meet all the assumptions, as far as their facts show it."""
    depths: set[Any] = set()
    readouts: set[Any] = set()
    layers: set[int] = set()
    problems: list[str] = []
    names: set[str] = set()
    assumptions = tuple(assumptions)
    for inner in of_parts(assumptions).values():
        problems += [f"of a sub-model: {p}" for p in contradictions(inner)]
    known_facts = [f for f in _facts(assumptions, problems) if is_fact(f)]
    problems += conflicts(known_facts)
    graphs = {f.args[1] for f in known_facts if f.args[0] == "graph"}
    if graphs:
        return problems + _graph_contradictions(graphs, known_facts)
    for fact in known_facts:
        name, tags = fact.args[0], fact.args[1:]
        names.add(name)
        for wanted, tag in zip(_wanted(fact), tags, strict=True):
            if wanted == "kind":
                readouts.add(tag)
            elif wanted == "depth" or name == "readout":
                depths.add(tag)
            elif wanted == "index" and type(tag) is int:
                layers.add(tag)
    if len({d for d in depths if type(d) is int}) > 1 or len(readouts) > 1:
        problems.append(f"the facts give depths {depths} and readouts {readouts} to one network")
    if names & _ASSEMBLY and names & (_OF_LAYERS - _ASSEMBLY):
        problems.append(f"one model is an assembly and a network: {', '.join(sorted(names))}")
    known = [d for d in depths if type(d) is int]
    outside = {i for i in layers if i < 1 or (known and i > min(known))}
    if outside:
        problems.append(f"the facts speak of hidden layers {sorted(outside)}, which do not exist")
    return problems


def _graph_contradictions(codes: set[str], facts: list[Term]) -> list[str]:
    """The same where a fact says which graph of nodes the network is."""
    if len(codes) > 1:
        return [f"the facts give {len(codes)} different graphs to one network"]
    (code,) = codes
    shape = parse(code)
    problems: list[str] = []
    layered = sorted({f.args[0] for f in facts} & _OF_LAYERS)
    if layered:
        problems.append(f"the facts {', '.join(layered)} speak of layers, the network is a graph")
    drawn = [f for f in facts if f.args[0] == "drawn"]
    laws = {(f.args[1], f.args[2]) for f in drawn}
    single = {n for n, p in enumerate(shape.parents) if len(p) == 1}
    weighted = {n for n in single if shape.kinds[n] in ("bilinear", "linear")}
    if len({n for n, _ in laws}) < len(laws) or {n for n, _ in laws} - weighted:
        problems.append(f"the facts draw weights of two laws, or where there are none: {laws}")
    activations = {n for n, kind in enumerate(shape.kinds) if kind == "pointwise"}
    named = {f.args[1] for f in facts if f.args[0] in ("smooth", "bounded")}
    outside = {n for n in named if type(n) is int} - activations
    if outside:
        problems.append(f"the facts speak of activations of nodes {sorted(outside)}: not pointwise")
    return problems


def _facts(formulas: Iterable[Term], problems: list[str]) -> Iterator[Term]:
    for formula in formulas:
        if formula.head == "forall" and formula.args[3].head == "fact":
            name, low, high, inner = formula.args
            for limit in (low, high):
                if type(limit) is int and not (
                    type(high) is int and type(low) is int and low > high
                ):
                    yield put(inner, {make("index", name, 0): limit})
        elif formula.head == "range" and all(type(i) is int for i in formula.args):
            index, low, high = formula.args
            if not low <= index <= high:
                problems.append(f"an assumption says {low} <= {index} <= {high}")
        elif formula.head == "fact":
            yield formula
