"""Health of a service: ``/livez`` and ``/readyz`` for ASGI and WSGI servers."""

from mooring.web._asgi import AsgiHealth
from mooring.web._wsgi import WsgiHealth

__all__ = ["AsgiHealth", "WsgiHealth"]
