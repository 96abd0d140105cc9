"""The models, as the engine asks them."""
