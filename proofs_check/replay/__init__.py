"""The independent replay of proofs: every rule of the kernel once more, in code of its own."""
