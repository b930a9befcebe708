"""Small ways of using the kernel, for whoever looks for a proof.

Nothing here is trusted: every function only calls rules of :mod:`theory.kernel`, and what comes
back is a judgement or an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from theory import kernel
from theory.kernel import Judgement, KernelError
from theory.lemmas import (
    KAPPA,
    A,
    U,
    V,
    operator_variable,
    real_variable,
    space_variable,
)
from theory.lemmas.reals import W, X, Y, Z
from theory.terms import ONE, SCALAR, Arg, Term, add, dot, le, make, mul, norm, transpose
from theory.vocabulary import squared

INDEX = make("index", "l", 0)
Known = dict[Term, Judgement]
Decomposition = tuple[Judgement, list[Judgement], Callable[..., Term]]


def use(
    name: str,
    *parameters: int | str,
    bind: Mapping[Term, Arg] | None = None,
    given: Sequence[Judgement] = (),
) -> Judgement:
    """An instance of a trusted lemma."""
    return kernel.lemma(name, parameters, bind or {}, given)


def hole(like: Term, name: str = "?") -> Term:
    """A variable that can stand for a term of the same sort and shape."""
    if like.sort == "real":
        return make("var", name, "real")
    return make("var", name, "op", *(like.shape or ()))


def chain(*links: Judgement) -> Judgement:
    """Transitivity, where a chain of one link is that link."""
    return links[0] if len(links) == 1 else kernel.transitivity(*links)


def rearranged(judgement: Judgement, right: Term) -> Judgement:
    """The same left side against another form of the right side."""
    if judgement.conclusion.args[1] is right:
        return judgement
    return chain(judgement, kernel.by_form(judgement.conclusion.args[1], right))


def restated(judgement: Judgement, left: Term, right: Term) -> Judgement:
    """The same relation between other forms of both sides."""
    old = judgement.conclusion.args[0]
    if old is not left:
        judgement = chain(kernel.by_form(left, old), judgement)
    return rearranged(judgement, right)


def rewrite(judgement: Judgement, template: Term, holes: Mapping[Term, Judgement]) -> Judgement:
    """Replace equals on the right side, which is the template with the old values in its holes."""
    step = kernel.congruence(template, holes)
    return chain(rearranged(judgement, step.conclusion.args[0]), step)


def raised(judgement: Judgement, template: Term, holes: Mapping[Term, Judgement]) -> Judgement:
    """Enlarge the right side, which is the template with the old values in its holes."""
    step = kernel.monotone(template, holes)
    return chain(rearranged(judgement, step.conclusion.args[0]), step)


def at_most(judgement: Judgement) -> Judgement:
    """The judgement as an inequality."""
    return kernel.weaken(judgement) if judgement.conclusion.head == "eq" else judgement


def reflexive(term: Term) -> Judgement:
    """T = t."""
    return kernel.by_form(term, term)


# -- norms of compound operators ------------------------------------------------------------------


def bound_norm(operator: Term, known: Known, kind: str = "2") -> Judgement:
    """Bound a norm by walking down the operator, one lemma at each node.

    Args:
        operator: the operator.
        known: judgements ``norm = ...`` or ``norm <= ...``, by the norm they bound.
        kind: which norm.

    Returns:
        ``norm(operator, kind) <= r`` (or ``=``) with r built from what is known.

    Raises:
        KernelError: when a part has no known bound and no lemma applies, naming it.
    """
    target = norm(operator, kind)
    if target not in known:
        first, parts, join = _decompose(operator, kind, known)
        holes = {make("var", f"?{i}", "real"): b for i, b in enumerate(parts)}
        known[target] = chain(first, kernel.monotone(join(*holes), holes)) if parts else first
    return known[target]


def _decompose(operator: Term, kind: str, known: Known) -> Decomposition:
    """The lemma for the topmost head, bounds of the parts, and how the parts join."""
    args = operator.args
    match operator.head, kind:
        case "plus", _:
            cols: str | Term = SCALAR if kind != "2" else "c"
            bind = {operator_variable(f"A{i}", "r", cols): a for i, a in enumerate(args, 1)}
            first = use("triangle", len(args), kind, bind=bind)
            return first, [bound_norm(a, known, kind) for a in args], add
        case "dot", "2":
            return _product(operator, known)
        case "dot", "inf" if len(args) == 2 and args[0].head == "diag":
            vectors = (args[0].args[0], args[1])
            first = use("diagonal_max", bind={U: vectors[0], V: vectors[1]})
            return first, [bound_norm(v, known, "inf") for v in vectors], mul
        case "scale", _:
            bind = {KAPPA: args[0], (A if kind == "2" else V): args[1]}
            first = use("homogeneity", kind, bind=bind)
            return first, [bound_norm(args[1], known, kind)], lambda n: mul(args[0], n)
        case "neg", _:
            first = use("negation", kind, bind={(A if kind == "2" else V): args[0]})
            return first, [bound_norm(args[0], known, kind)], lambda n: n
        case "T", "2":
            first = use("transpose", bind={A: args[0]})
            return first, [bound_norm(args[0], known)], lambda n: n
        case "kron", "2":
            bind = {A: args[0], operator_variable("B", "r2", "c2"): args[1]}
            first = use("kronecker", bind=bind)
            return first, [bound_norm(a, known) for a in args], mul
        case "diag", "2":
            first = use("diagonal", bind={V: args[0]})
            return first, [bound_norm(args[0], known, "inf")], lambda n: n
        case "id", "2":
            return use("identity", bind={space_variable("r"): args[0]}), [], add
        case "zero", "2":
            spaces = {space_variable("r"): args[0], space_variable("c"): args[1]}
            return use("zero", bind=spaces), [], add
        case "act", "inf" if args[1] in (1, 2):
            return _activation_bound(operator), [], add
    msg = f"no bound is known for the norm {kind} of {operator}"
    raise KernelError(msg)


def _product(operator: Term, known: Known) -> Decomposition:
    count = len(operator.args)
    bind = {
        operator_variable(f"A{i}", f"s{i - 1}", f"s{i}"): a for i, a in enumerate(operator.args, 1)
    }
    first = use("product", count, bind=bind)
    return first, [bound_norm(a, known) for a in operator.args], mul


def _activation_bound(operator: Term) -> Judgement:
    index, order, vector = operator.args
    premise = kernel.hypothesis(make("fact", "bounded", index, order))
    name = "slope_bound" if order == 1 else "curvature_bound"
    return use(name, bind={INDEX: index, V: vector}, given=[premise])


def root_of_dimension(vector: Term) -> Judgement:
    """``|v| <= sqrt(dim) |v|_inf``: from ``|v|^2 <= |v|_inf |v|_1 <= |v|_inf sqrt(dim) |v|``."""
    size, most = norm(vector), norm(vector, "inf")
    hoelder = use("hoelder", bind={U: vector, V: vector})
    flat = use("transpose", bind={A: vector})
    row, n = transpose(vector), real_variable("?n")
    gram = use("gram", bind={A: row})
    square = chain(gram, kernel.congruence(squared(n), {n: flat}))
    inner = dot(row, transpose(row))
    h = hole(inner)
    same = kernel.congruence(norm(h), {h: kernel.by_form(dot(row, vector), inner)})
    wide = use("one_at_most_two", bind={V: vector})
    grown = kernel.monotone(mul(most, n), {n: wide})
    bound = chain(kernel.symmetry(square), kernel.symmetry(same), hoelder, grown)
    scale = wide.conclusion.args[1].args[0]
    value = mul(scale, most)
    start = kernel.by_form(mul(size, size), squared(size))
    product_form = chain(start, rearranged(bound, mul(size, value)))
    itself = kernel.at_most_by_form(size, mul(ONE, size))
    return use(
        "cancel_factor",
        bind={Z: size, X: size, Y: value, W: ONE},
        given=[at_most(product_form), itself],
    )


def largest_of(numbers: Sequence[Term]) -> tuple[Term, dict[Term, Judgement]]:
    """The maximum of some numbers, and for each that it is at most that."""
    different = list(dict.fromkeys(numbers))
    if len(different) == 1:
        return different[0], {different[0]: at_most(reflexive(different[0]))}
    size = len(different)
    bind: dict[Term, Arg] = {real_variable(f"a{i}"): n for i, n in enumerate(different, 1)}
    each = {n: use("max_upper", size, i, bind=bind) for i, n in enumerate(different, 1)}
    return make("max", *different), each


def spectral_bound(
    operator: Term, known: Known, entries: Sequence[Term], depth: int, readout: str
) -> Judgement:
    """Bound the norm of an operator on parameters by the matrix of its blocks' bounds.

    Args:
        operator: an operator from the parameters to the parameters.
        known: for every block ``Pi_k A Pi_k'^T`` a judgement ``norm <= entry``.
        entries: the bounds of the blocks, row by row.
        depth: number of hidden layers.
        readout: ``trained`` or ``fixed``.

    Returns:
        ``norm(operator) <= specnorm(entries)``.
    """
    facts = [kernel.hypothesis(make("fact", "parameters", depth, readout))]
    whole = operator_variable("A", make("params"), make("params"))
    return joined_blocks(
        use("block_norm", depth, readout, bind={whole: operator}, given=facts), known, entries
    )


def joined_blocks(first: Judgement, known: Known, entries: Sequence[Term]) -> Judgement:
    """Enlarge the blocks' norms to their bounds.

    Args:
        first: ``norm(operator) <= specnorm(norms of its blocks)``.
        known: for every block a judgement ``norm <= entry``.
        entries: the bounds of the blocks, row by row.
    """
    matrix = first.conclusion.args[1]
    size, blocks = matrix.args[0], matrix.args[1:]
    pairs = [(i, j) for i in range(size) for j in range(size)]
    bind: dict[Term, Arg] = {}
    premises = []
    for (i, j), small, large in zip(pairs, blocks, entries, strict=True):
        bind[real_variable(f"a{i}_{j}")] = small
        bind[real_variable(f"b{i}_{j}")] = large
        premise = at_most(known[small])
        if premise.conclusion is not le(small, large):
            msg = f"block ({i}, {j}) is bounded by {premise.conclusion}, needed {large}"
            raise KernelError(msg)
        premises.append(premise)
    return chain(first, use("entrywise", size, bind=bind, given=premises))


__all__ = [
    "INDEX",
    "at_most",
    "bound_norm",
    "chain",
    "hole",
    "joined_blocks",
    "largest_of",
    "raised",
    "rearranged",
    "reflexive",
    "restated",
    "rewrite",
    "root_of_dimension",
    "spectral_bound",
    "use",
]
