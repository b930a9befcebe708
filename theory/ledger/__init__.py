"""The rows of the ledger that need a module of their own, one theorem family in each."""
