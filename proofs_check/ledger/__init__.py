"""The ledger, row by row: a family of networks where the statement applies, and one where it fails.

Each row is an :class:`~proofs_check.ledger.experiment.Experiment`; its families are measured at
several widths and seeds, every sample is held against the row's theorem, and the fitted exponent
against the predicted order.  A row stands when the first kind of family meets the prediction and
the other kind, with a single hypothesis dropped, does not.
"""
