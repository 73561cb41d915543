"""The imaging engine: pure and synchronous. It knows no asyncio, no HTTP, no Redis and no configuration."""
