"""Accounts of which nothing remarkable is held, as arrays, and the kernels that go on with them."""
