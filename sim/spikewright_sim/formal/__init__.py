"""Formal proofs about the components of the core: harnesses, and what runs them with SymbiYosys and z3."""
