"""QuickThumb's vocabulary as plain data: no I/O, no image library, no HTTP. Every other room may import it."""
