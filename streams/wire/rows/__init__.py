"""Kernels that read records from bytes into rows; see docs/architecture.md, "Records as rows"."""
