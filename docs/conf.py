"""How the documentation is built; `make docs` does it, without the network."""

import sys
from pathlib import Path

import mooring

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "mooring"
author = "the mooring authors"
copyright = author  # noqa: A001 - the name that Sphinx gives it
release = version = mooring.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "compatibility",  # docs/_ext: the table of drivers, from their reports
    "command_options",  # docs/_ext: what a verb of the command takes, from click
    "options_table",  # docs/_ext: the options of a configuration class, from its code
    "public_names",  # docs/_ext: links to where a name is documented
]
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"
html_title = f"mooring {release}"
html_show_sphinx = False

myst_heading_anchors = 3
# "(c)" and quotation marks stay what was typed: the pages quote messages.
smartquotes = False

# In docstrings a single backtick names a Python object.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# The types of attributes stand in the signature already.
napoleon_attr_annotations = False

# The standard library's own pages are on the network, which a build never needs: its
# names stay plain text. So do type variables, which are not documented by themselves,
# and the four libraries whose types appear in signatures.
nitpick_ignore_regex = [
    ("py:.*", r"(builtins|collections|contextlib|datetime|enum|importlib)(\..*)?"),
    ("py:.*", r"(os|random|sqlite3|ssl|types|typing)(\..*)?"),
    ("py:.*", r"(cattrs|attrs?|pluggy)(\..*)?|Converter"),
    ("py:.*", r"psycopg(\..*)?|TupleRow"),
    ("py:.*", r"(mooring\.(core|testing)(\.\w+)*\.)?[FSTC]"),
]
