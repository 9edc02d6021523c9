"""The groups of the contract: what a driver's stores must do, a file each.

Each is a class of tests; `mooring.testing.DriverContract` is all of them together.
"""
