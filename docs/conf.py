"""How Sphinx makes pages of this directory: ``sphinx-build docs build/docs``."""

project = "maildrop"
author = "The maildrop developers"
project_copyright = "The maildrop developers"
extensions = ["myst_parser"]
html_theme = "alabaster"
myst_heading_anchors = 3
