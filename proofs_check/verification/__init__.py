"""A theorem against concrete networks: measure, hold against the bound, fit, judge, report."""
