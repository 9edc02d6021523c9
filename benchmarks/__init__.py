"""Side by side: mooring, the same work by hand, and its peers. See README.md."""
