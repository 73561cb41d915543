"""The imaging engine: pure and synchronous. It knows nothing of asyncio, HTTP, Redis or configuration."""
