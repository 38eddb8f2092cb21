"""The doors: ASGI and WSGI into the gate's own messages and back. No door holds a decision."""
