"""The rows of the ledger, by name: where each theorem is derived.

A row is the place of a function without required arguments that returns a
:class:`~theory.theorem.Theorem`; its module is imported when the row is first looked up, so that
``import theory`` stays quick however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from theory.theorem import Theorem

ROWS: Final[dict[str, str]] = {
    "LZB20/A1": "theory.ledger.constant_kernel:linear_if_constant",
    "LZB20/A1-hessian": "theory.ledger.constant_kernel:flat_if_constant",
    "LZB20/A1-converse": "theory.ledger.constant_kernel:constant_if_linear",
    "LZB20/A2": "theory.theorems:kernel_change_bound",
    "LZB20/A3": "theory.theorems:linearization_bound",
    "LZB20/A4": "theory.theorems:reference_one_hidden_layer",
    "LZB20/A5": "theory.theorems:contraction_bound",
    "LZB20/A6": "theory.ledger.general_layers:bound",
    "LZB20/A6-dense": "theory.ledger.general_layers:dense",
    "LZB20/A6-layered": "theory.ledger.general_layers:layered",
    "LZB20/A7": "theory.theorems:reference_ball",
    "LZB20/A7-centre": "theory.theorems:reference_centre",
    "LZB20/A7-slopes": "theory.theorems:reference_slopes",
    "LZB20/A7-operators": "theory.theorems:reference_operators",
    "LZB20/A7-operators-ball": "theory.theorems:reference_operators_ball",
    "LZB20/A7-norms": "theory.theorems:reference_norms",
    "LZB20/A7-norms-ball": "theory.theorems:reference_norms_ball",
    "LZB20/A7-apriori": "theory.ledger.apriori:reference",
    "LZB20/A7-apriori-ball": "theory.ledger.apriori:reference_ball",
    "LZB20/A7+A2": "theory.theorems:reference_kernel_change",
    "LZB20/A7+A3": "theory.theorems:reference_linearization",
    "LZB20/A8": "theory.ledger.graphs:convolutional",
    "LZB20/A8-residual": "theory.ledger.graphs:residual",
    "LZB20/A8-apriori": "theory.ledger.series:convolutional",
    "LZB20/A8-centre": "theory.ledger.graphs:residual_centre",
    "LZB20/A8-operators": "theory.ledger.graphs:convolutional_operators",
    "LZB20/A9": "theory.ledger.nonlinear_output:lower",
    "LZB20/A9-upper": "theory.ledger.nonlinear_output:upper",
    "LZB20/A9-identity": "theory.ledger.nonlinear_output:identity",
    "LZB20/A10": "theory.ledger.bottleneck:lower",
    "LZB20/A10-upper": "theory.ledger.bottleneck:upper",
    "LZB20/A11": "theory.ledger.optimization:rate",
    "LZB20/A11-radius": "theory.ledger.optimization:radius",
    "LZB20/A11-induction": "theory.ledger.optimization:any_number",
    "LZB20/A11-distance": "theory.ledger.optimization:way",
    "LZB20/A11-step": "theory.ledger.optimization:step",
    "LZB20/A11-PL": "theory.ledger.optimization:polyak_lojasiewicz",
    "LZB20/A11-smoothness": "theory.ledger.optimization:smoothness",
    "LZB20/A11-outer": "theory.ledger.optimization:nonlinear_output",
    "LZB20/A12": "theory.ledger.not_lazy:least_distance",
    "LZB20/A12-floor": "theory.ledger.not_lazy:halved",
    "LZB20/A12-multiple": "theory.ledger.not_lazy:multiple_distance",
    "LZB20/A12-hessian": "theory.ledger.not_lazy:multiple_hessian",
    "LZB20/A12-kernel": "theory.ledger.not_lazy:multiple_kernel",
    "LZB22/B1": "theory.ledger.assemblies:independent",
    "LZB22/B2": "theory.ledger.assemblies:gradient",
    "LZB22/B2-floor": "theory.ledger.assemblies:gradient_floor",
    "LZB22/B2-ratio": "theory.ledger.assemblies:like_with_like",
    "LZB22/B2-output": "theory.ledger.assemblies:output",
    "LZB22/B3": "theory.ledger.assemblies:dominating",
    "LZB22/B3-dominance": "theory.ledger.assemblies:dominance_dial",
    "LZB22/B3-sharing": "theory.ledger.assemblies:sharing",
    "LZB22/B4": "theory.theorems:assembly_recursion",
    "LZB22/B4-summed": "theory.theorems:summed_recursion",
    "LZB22/B5": "theory.ledger.neurons:every_neuron",
    "LZB22/B5-ball": "theory.ledger.neurons:neuron_on_ball",
    "LZB22/B5-identity": "theory.ledger.neurons:neuron_identity",
    "LZB22/B6": "theory.ledger.bottleneck:narrowest",
    "LZB22/B7": "theory.ledger.assemblies:strong",
    "LZB22/B7-networks": "theory.ledger.assemblies:strong_networks",
    "ZLB22/C1": "theory.ledger.graphs:neurons",
    "ZLB22/C1-operators": "theory.ledger.graphs:neuron_operators",
    "ZLB22/C1-apriori": "theory.ledger.series:neurons",
    "ZLB22/C2": "theory.ledger.output_degree:output_degree",
    "ZLB22/C3": "theory.ledger.graphs:densely_connected",
    "ZLB22/C3-operators": "theory.ledger.graphs:densely_connected_operators",
}
"""``module:function`` for each row, in the order of the ledger."""


class UnknownTheoremError(KeyError):
    """No theorem of that name; the message lists the names."""

    def __str__(self) -> str:
        """The message itself, without the quotes that KeyError puts around it."""
        return str(self.args[0])


class Catalog(Mapping[str, Theorem]):
    """The rows of the ledger that are proved, by name; each is derived when it is looked up."""

    def __init__(self, rows: Mapping[str, str] = ROWS) -> None:
        """List the rows; derive nothing yet."""
        self._rows = dict(rows)
        self._derived: dict[str, Theorem] = {}

    def __getitem__(self, name: str) -> Theorem:
        """The theorem of that name."""
        if name not in self._rows:
            msg = f"no theorem is called {name!r}; the catalogue has {', '.join(self._rows)}"
            raise UnknownTheoremError(msg)
        if name not in self._derived:
            module, _, function = self._rows[name].partition(":")
            self._derived[name] = getattr(import_module(module), function)()
        return self._derived[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._rows)

    def __len__(self) -> int:
        """How many rows."""
        return len(self._rows)


catalog = Catalog()
