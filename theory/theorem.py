"""A theorem as an object: from it come page, number, order, measurement and check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from theory import evaluation
from theory.assumptions import Assumption, describe
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import LEMMAS, Lemma
from theory.orders import Order, order_of
from theory.proofs import Proof, linearize, proof_of, to_json
from theory.symbolic import to_sympy
from theory.terms import Term
from theory.vocabulary import RADIUS

if TYPE_CHECKING:
    import sympy

    from theory.derive.apriori import Event
    from theory.graph import Graph
    from theory.graph_orders import NodeOrders
    from theory.networks import Network


@dataclass(frozen=True)
class Theorem:
    """A statement with its proof.

    Attributes:
        name: its name in the ledger, such as ``LZB20/A7``.
        title: what it says, in a line.
        judgement: the kernel's judgement: hypotheses and conclusion.
        definitions: the abbreviations in the statement, each from earlier ones.
        claims: the lines of the proof that a reader sees.
        citation: the paper and the statement in it.
        cite: BibTeX key of that paper.
        network: the description it was derived for, or None for a general statement.
        radius: the radius of the ball: None (no ball), a SymPy expression, or a number.
        level: what the bound rests on, such as ``layers``.
        quantity: the measurement it bounds, by its name in the vocabulary.
        remarks: what a reader should know beside the statement.
        below: whether the statement bounds the quantity from below, its left side by its right.
        graph: the graph that the network is, where the statement speaks of its nodes.
        events: for a statement that holds with a probability: what it rests on, each with its
            lemma and its share of delta.
        failure: for such a statement delta, the allowed probability of failure.
    """

    name: str
    title: str
    judgement: Judgement
    citation: str
    cite: str
    definitions: tuple[Term, ...] = ()
    claims: tuple[Claim, ...] = ()
    network: Network | None = None
    radius: sympy.Expr | None = None
    level: str = ""
    quantity: str = ""
    remarks: tuple[str, ...] = field(default=())
    events: tuple[Event, ...] = ()
    failure: Fraction | None = None
    below: bool = False
    graph: Graph | None = None

    # -- the statement ----------------------------------------------------------------------------

    @property
    def statement(self) -> Term:
        """The formula proved."""
        return self.judgement.conclusion

    @property
    def inequality(self) -> Term:
        """What the statement says of all points or steps, or with a probability; else itself."""
        formula = self.statement
        while formula.head in ("likely", "ball", "forall", "after"):
            formula = formula.args[-1]
        return formula

    @property
    def side(self) -> Term:
        """The side of the statement that is the bound: the right one, the left for one below."""
        return self.inequality.args[0 if self.below else 1]

    @cached_property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What is assumed, grouped for a reader; every hypothesis of the judgement is in one."""
        return describe(self.judgement.hypotheses - set(self.definitions))

    @cached_property
    def bound(self) -> sympy.Expr:
        """The bound as a SymPy expression, abbreviations kept."""
        return to_sympy(self.side, self.widths, self.radius)

    @cached_property
    def definition_table(self) -> dict[sympy.Expr, sympy.Expr]:
        """Every abbreviation and what it stands for, as SymPy expressions, in order."""
        return {
            to_sympy(d.args[0], self.widths, self.radius): to_sympy(
                d.args[1], self.widths, self.radius
            )
            for d in self.definitions
        }

    @property
    def widths(self) -> tuple[sympy.Expr | int, ...]:
        """m_0, ..., m_L of the network, or nothing for a general statement.

        For a statement about a graph the number of entries of each node's value.
        """
        if self.graph is not None:
            return self.graph.sizes
        return tuple(self.network.widths) if self.network else ()

    # -- what it rests on -------------------------------------------------------------------------

    @cached_property
    def proof(self) -> Proof:
        """The proof as data, to be replayed by ``proofs_check.check`` or written to a file."""
        formulas = [f for a in self.assumptions for f in a.formulas]
        return proof_of(self.judgement, formulas, self.definitions)

    def to_json(self) -> dict[str, Any]:
        """The proof as JSON-ready data (see :mod:`theory.proofs`)."""
        return to_json(self.proof)

    @cached_property
    def lemmas(self) -> tuple[Lemma, ...]:
        """The trusted lemmas that the proof uses, in order of first use."""
        names = dict.fromkeys(j.data[0] for j in linearize(self.judgement) if j.rule == "lemma")
        return tuple(LEMMAS[n] for n in names)

    @cached_property
    def order(self) -> Order:
        """The order of growth of the bound, and what that rests on."""
        relation = "Theta" if self.inequality.head == "eq" else "O"
        return order_of(
            self.side,
            self.definitions,
            self.widths,
            self.radius,
            self.node_orders,
            "Omega" if self.below else relation,
        )

    @property
    def node_orders(self) -> NodeOrders | None:
        """The orders of the nodes' statistics, for a statement about a graph."""
        if self.graph is None:
            return None
        from theory.derive.graph_bench import code_of
        from theory.graph_orders import NodeOrders
        from theory.graph_terms import parse

        return NodeOrders(self.graph, parse(code_of(self.graph)))

    # -- numbers ----------------------------------------------------------------------------------

    def evaluate(
        self, values: Mapping[Term, Any], radius: float | None = None, **kwargs: Any
    ) -> Any:
        """The bound as a number.

        Args:
            values: numbers for the symbols that have no definition and for the norms and layer
                statistics that were measured (they come before definitions); widths as ``dim``.
            radius: the radius, where the theorem has a symbolic one.
            **kwargs: passed to :func:`theory.evaluation.evaluate` (the arithmetic).

        Returns:
            The value of the right side.

        Raises:
            MissingValueError: when a symbol has neither a value nor a definition.
            ValueError: when the statement needs a radius and none is known.
        """
        known = dict(values)
        if self.network is not None and self.graph is None:
            kwargs.setdefault("activations", self.network.activations)
        if self.radius is not None:
            known[RADIUS] = self._radius(radius)
        return evaluation.evaluate(
            self.side, known, evaluation.definitions_of(self.definitions), **kwargs
        )

    def choices(self, values: Mapping[Term, Any], radius: float | None = None) -> dict[str, str]:
        """Which of several bounds won, for each abbreviation that is the least of them.

        Args:
            values: as for `evaluate`.
            radius: as for `evaluate`.

        Returns:
            From the abbreviation to what it equals, in plain text.

        Raises:
            MissingValueError: when a symbol has neither a value nor a definition.
            ValueError: when the statement needs a radius and none is known.
        """
        from theory.writing.plain import plain

        known = dict(values)
        if self.radius is not None:
            known[RADIUS] = self._radius(radius)
        table = evaluation.definitions_of(self.definitions)
        activations = self.network.activations if self.network and self.graph is None else ()
        found = evaluation.choices(self.side, known, table, activations=activations)
        return {plain(symbol): plain(value) for symbol, value in found.items()}

    def _radius(self, given: float | None) -> Any:
        if given is not None:
            return given
        if self.radius is not None and self.radius.is_number:
            return float(self.radius)
        msg = (
            f"theorem {self.name} speaks of a ball of radius {self.radius}; "
            "give radius=... a number"
        )
        raise ValueError(msg)

    # -- pages ------------------------------------------------------------------------------------

    def to_latex(self, *, document: bool = False, prefix: str | None = None) -> str:
        """Statement, assumptions, symbols and numbered proof in LaTeX.

        Args:
            document: a document that compiles by itself, instead of a fragment to input.
            prefix: what every label begins with; by default the theorem's name, depth and readout.
        """
        from theory.writing.latex import theorem_to_latex

        return theorem_to_latex(self, document=document, prefix=prefix)

    def _repr_latex_(self) -> str:
        """The statement and its abbreviations for a notebook."""
        from theory.writing.pages import theorem_to_math

        return theorem_to_math(self)

    def __repr__(self) -> str:
        """The theorem in a terminal: statement, abbreviations, assumptions, order, lemmas."""
        from theory.writing.plain import theorem_to_text

        return theorem_to_text(self)
