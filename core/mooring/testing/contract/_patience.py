"""How long the tests of the contract wait for what ends by itself."""

# Seconds: long enough for a machine under load, short enough that a hang is seen as
# one before the limit of `mooring driver check`.
PATIENCE = 40.0
