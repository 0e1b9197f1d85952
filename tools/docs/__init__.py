"""The documentation: the pages that are generated from the code, and the site that `make docs` builds."""
