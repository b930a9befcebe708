"""Finding proofs: what proposes kernel steps, and is never trusted.

``tactics`` are small ways of using the kernel, ``workbench`` what a derivation knows so far;
``identities`` the assembly recursion and the exact Hessian; ``pointwise`` the Hessian bound at a
point; ``layers`` the layer statistics at the centre and on the ball; ``corollaries`` rows A2 to A5.
"""
