"""Plain nouns of the field: frozen dataclasses without JAX and without input or output."""
