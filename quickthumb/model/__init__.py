"""The words of QuickThumb as plain data: no I/O, no library of images, no HTTP. Every other room may import it."""
