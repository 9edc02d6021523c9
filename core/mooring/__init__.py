"""mooring opens the store that an application's configuration names."""

__all__ = ["__version__"]

__version__ = "0.1.0"
