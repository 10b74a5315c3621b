"""The event engine: an event table becomes sorted points, and every structure advances between them."""
